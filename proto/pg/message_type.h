// The first byte of each message, and the code of an AuthenticationRequest, by the names that the
// PostgreSQL 18 documentation has for them (54.7 "Message Formats"). One letter may be two
// messages, by who sends it: so there is a type for each side.
#pragma once

#include <cstdint>

namespace ringpost::proto::pg {

// What a server sends.
enum class BackendMessage : char {
  AuthenticationRequest = 'R',
  BackendKeyData = 'K',
  BindComplete = '2',
  CloseComplete = '3',
  CommandComplete = 'C',
  CopyBothResponse = 'W',
  CopyData = 'd',
  CopyDone = 'c',
  CopyInResponse = 'G',
  CopyOutResponse = 'H',
  DataRow = 'D',
  EmptyQueryResponse = 'I',
  ErrorResponse = 'E',
  FunctionCallResponse = 'V',
  NegotiateProtocolVersion = 'v',
  NoData = 'n',
  NoticeResponse = 'N',
  NotificationResponse = 'A',
  ParameterDescription = 't',
  ParameterStatus = 'S',
  ParseComplete = '1',
  PortalSuspended = 's',
  ReadyForQuery = 'Z',
  RowDescription = 'T',
};

// What a client sends; these of it are sent here.
enum class FrontendMessage : char {
  Bind = 'B',
  Close = 'C',
  Describe = 'D',
  Execute = 'E',
  Parse = 'P',
  Query = 'Q',
  // Which of them it is, the server knows by what it asked for.
  PasswordMessage = 'p',
  SASLInitialResponse = 'p',
  SASLResponse = 'p',
  Sync = 'S',
  Terminate = 'X',
};

// What an AuthenticationRequest asks for.
enum class Authentication : int32_t {
  Ok = 0,
  KerberosV5 = 2,
  CleartextPassword = 3,
  MD5Password = 5,
  GSS = 7,
  GSSContinue = 8,
  SSPI = 9,
  SASL = 10,
  SASLContinue = 11,
  SASLFinal = 12,
};

}  // namespace ringpost::proto::pg
