// Certificates and their keys, made for a test and gone with it, and a folder for those that have
// to be files.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace ringpost::tests {

class Certificate {
 public:
  struct Subject {
    std::string common_name;
    std::string alternatives = {};  // as OpenSSL writes them: "DNS:db.example,IP:127.0.0.1"
    bool authority = false;
    int from_days = -1, to_days = 1;
    const EVP_MD* digest = EVP_sha256();
    const char* key_type = "EC";  // or ED25519, which has no digest
  };

  // Signed by `issuer`, or by itself.
  explicit Certificate(const Subject& subject, const Certificate* issuer = nullptr) {
    const bool edwards = std::string(subject.key_type) == "ED25519";
    key_ = edwards ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519") : EVP_EC_gen("P-256");
    x509_ = X509_new();
    X509_set_version(x509_, X509_VERSION_3);
    static long serial = 1;
    ASN1_INTEGER_set(X509_get_serialNumber(x509_), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x509_), subject.from_days * 86'400L);
    X509_gmtime_adj(X509_getm_notAfter(x509_), subject.to_days * 86'400L);
    X509_set_pubkey(x509_, key_);
    X509_NAME* name = X509_get_subject_name(x509_);
    if (!subject.common_name.empty())
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(subject.common_name.data()),
                                 static_cast<int>(subject.common_name.size()), -1, 0);
    X509_set_issuer_name(x509_, issuer != nullptr ? X509_get_subject_name(issuer->x509_) : name);
    add(NID_basic_constraints, subject.authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (!subject.alternatives.empty()) add(NID_subject_alt_name, subject.alternatives);
    if (X509_sign(x509_, issuer != nullptr ? issuer->key_ : key_,
                  edwards ? nullptr : subject.digest) == 0)
      std::abort();
  }
  ~Certificate() {
    X509_free(x509_);
    EVP_PKEY_free(key_);
  }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  X509* x509() const { return x509_; }
  EVP_PKEY* key() const { return key_; }

  std::string pem() const {
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, x509_);
    return text_of(out);
  }
  // Encrypted, where a password is given.
  std::string key_pem(std::string password = {}) const {
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(out, key_, password.empty() ? nullptr : EVP_aes_128_cbc(),
                                  password.data(), static_cast<int>(password.size()), nullptr,
                                  nullptr);
    return text_of(out);
  }

  // A list of revoked certificates by this authority, with `revoked` on it or none.
  std::string crl_pem(const Certificate* revoked) const {
    X509_CRL* list = X509_CRL_new();
    X509_CRL_set_version(list, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(x509_));
    ASN1_TIME* time = ASN1_TIME_new();
    X509_gmtime_adj(time, -86'400);
    X509_CRL_set1_lastUpdate(list, time);
    if (revoked != nullptr) {
      X509_REVOKED* one = X509_REVOKED_new();
      X509_REVOKED_set_serialNumber(one, X509_get_serialNumber(revoked->x509_));
      X509_REVOKED_set_revocationDate(one, time);
      X509_CRL_add0_revoked(list, one);
    }
    X509_gmtime_adj(time, 86'400);
    X509_CRL_set1_nextUpdate(list, time);
    ASN1_TIME_free(time);
    X509_CRL_sort(list);
    X509_CRL_sign(list, key_, EVP_sha256());
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509_CRL(out, list);
    X509_CRL_free(list);
    return text_of(out);
  }

 private:
  void add(int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    if (extension == nullptr) std::abort();
    X509_add_ext(x509_, extension, -1);
    X509_EXTENSION_free(extension);
  }
  static std::string text_of(BIO* out) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(out, &data);
    std::string text(data, static_cast<size_t>(size));
    BIO_free(out);
    return text;
  }

  EVP_PKEY* key_;
  X509* x509_;
};

class Folder {
 public:
  Folder() {
    char path[] = "/tmp/ringpost-test.XXXXXX";
    if (mkdtemp(path) == nullptr) std::abort();
    path_ = path;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  std::string path(const std::string& name) const { return path_ + "/" + name; }
  // Its path.
  std::string write(const std::string& name, const std::string& text, unsigned mode = 0600) const {
    const std::string file = path(name);
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
    std::filesystem::permissions(file, static_cast<std::filesystem::perms>(mode));
    return file;
  }

 private:
  std::string path_;
};

}  // namespace ringpost::tests
