#!/bin/sh
# Usage: fetch_python.sh FOLDER. Lays Debian 13's CPython 3.13 into FOLDER, beside the system and without root, where
# apt-get knows an archive of Debian's; prints the path of its program. It is one with profile-guided optimisation.
set -eu
mkdir -p "$1"
root=$(cd "$1" && pwd -P)
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep '/debian/$' | head -n 1)
[ -n "$archive" ] || { echo "fetch_python.sh: apt-get knows no archive of Debian's" >&2; exit 1; }

# apt-get with lists of its own: the system's are not touched.
rm -rf "$root"
mkdir -p "$root/apt/lists/partial" "$root/apt/archives/partial"
cd "$root/apt"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive trixie main" >sources.list
: >status
set -- -qq -o Dir::Etc::SourceList="$PWD/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Cache="$PWD" \
  -o Dir::State::Status="$PWD/status" -o Dir::State::Lists="$PWD/lists" -o APT::Sandbox::User=root
apt-get "$@" update >&2
apt-get "$@" download python3.13-minimal libpython3.13-minimal libpython3.13-stdlib python3.13-venv python3-pip-whl libc6 libgcc-s1 libstdc++6 \
  libssl3t64 libffi8 libexpat1 zlib1g libzstd1 libbz2-1.0 liblzma5 libuuid1 >&2
for package in *.deb; do dpkg-deb -x "$package" "$root"; done

# An older system's C library will not do, so Debian 13's has come too, and its loader starts the program.
python=$root/usr/bin/python3.13
mv "$python" "$root/usr/lib/python3.13/program"
cat >"$python" <<END
#!/bin/sh
exec $(echo "$root"/usr/lib*/ld-linux-*.so.*) --library-path $(echo "$root"/usr/lib/*-linux-gnu) --argv0 "\$0" \\
  $root/usr/lib/python3.13/program "\$@"
END
chmod 755 "$python"
sed -i "s#'/usr/share/python-wheels/'#'$root/usr/share/python-wheels/'#" "$root"/usr/lib/python3.13/_sysconfigdata__*.py # for venv
rm -rf "$root/apt"
echo "$python"
