"""Raw requests, to see what HTTP/1.1 servers make of them: ringpost, nginx and Go's net/http (http_servers.py asks them; docs/http.md
has the table of what they answer).

Behind each the driver sends a request of its own. `parts` are sent one after another, each when something was answered to the one
before. `ends`: the client's side ends behind them instead. `why` is for where the servers differ.
"""
from typing import NamedTuple

GET, HOST, END = b"GET /healthz HTTP/1.1\r\n", b"Host: a\r\n", b"\r\n"


class Case(NamedTuple):
    name: str
    parts: tuple
    why: str = ""
    ends: bool = False


def case(name, *parts, why="", ends=False):
    return Case(name, parts, why, ends)


def fields(name, *lines, why=""):
    """A request with these field lines behind its Host."""
    return case(name, GET + HOST + b"".join(line + b"\r\n" for line in lines) + END, why=why)


def line(name, request_line, why=""):
    return case(name, request_line + b"\r\n" + HOST + END, why=why)


def host(name, *lines, why=""):
    return case(name, GET + b"".join(line + b"\r\n" for line in lines) + END, why=why)


def length(name, value, why=""):
    """Five bytes of body, and a Content-Length of this value."""
    return case(name, GET + HOST + b"Content-Length:" + value + b"\r\n\r\nabcde", why=why)


def coding(name, *lines, body=b"5\r\nabcde\r\n0\r\n\r\n", why=""):
    return case(name, GET + HOST + b"".join(line + b"\r\n" for line in lines) + END + body, why=why)


def chunks(name, body, why=""):
    return coding(name, b"Transfer-Encoding: chunked", body=body, why=why)


def unframed(method, **how):
    return line(method.decode(), method + b" /healthz HTTP/1.1", **how)


STRICT_LF = "a LF alone is a line's end to others (9112, 2.2: MAY), and two readings of a message are a way to smuggle one"
NO_LISTS = "one well-formed number or 400: nobody who means well repeats it (9112, 6.3: MAY)"
FRAMING = "what one reads as a framing and the next does not is refused (9112, 6.1)"
GRAMMAR = "the grammar has no such thing (9112, 7.1), and what is skipped unread is read by somebody else"
ANY_METHOD = "405 to unknown methods too, as to the others: what the contract says"
LATER = "a request is handled when all of it has come; Go's handler answers before, and the connection ends"
WHOLE = "the routes' answer: the message itself is whole, so the connection goes on"
TWICE = "chunked twice is wrong, not unknown (9112, 6.1)"
NO_TOKEN = "no token (9112, 7), so malformed, not unknown"
NO_EMPTY = "400, against 9110, 5.6.1.2: what one reads as a framing and the next does not is refused"

GROUPS = {
    "Line ends": [
        case("LF for every CRLF", b"GET /healthz HTTP/1.1\nHost: a\n\n", why=STRICT_LF),
        case("LF behind the request line", b"GET /healthz HTTP/1.1\nHost: a\r\n\r\n", why=STRICT_LF),
        case("LF behind a field", GET + b"Host: a\n\r\n", why=STRICT_LF),
        case("LF for the empty line", GET + HOST + b"\n", why=STRICT_LF),
        case("CR alone behind the request line", b"GET /healthz HTTP/1.1\rHost: a\r\n\r\n"),
        case("CR alone in a value", GET + HOST + b"X: a\rb\r\n\r\n"),
        case("CR CR LF behind a field", GET + b"Host: a\r\r\n\r\n", why="a CR stands before its LF alone (9112, 2.2: MUST)"),
        case("an empty line before", END + GET + HOST + END, why="at least one is ignored (9112, 2.2: SHOULD)"),
        case("a LF before", b"\n" + GET + HOST + END, why=STRICT_LF),
        case("a CR before", b"\r" + GET + HOST + END, why="an empty line is a CRLF (9112, 2.2)"),
        case("five empty lines before", 5 * END + GET + HOST + END, why="four are ignored; a flood of them is no request (9112, 2.2)"),
    ],
    "Request lines": [
        line("two blanks before the target", b"GET  /healthz HTTP/1.1", why="one blank, as the grammar has it (9112, 3)"),
        line("a tab before the target", b"GET\t/healthz HTTP/1.1"),
        line("two blanks before the version", b"GET /healthz  HTTP/1.1", why="one blank, as the grammar has it (9112, 3)"),
        line("a blank behind the version", b"GET /healthz HTTP/1.1 ", why="the line ends with the version (9112, 3)"),
        line("a blank before the method", b" GET /healthz HTTP/1.1"),
        line("a parenthesis in the method", b"G(T /healthz HTTP/1.1"),
        line("a method in small letters", b"get /healthz HTTP/1.1", why=ANY_METHOD),
        line("an unknown method", b"BREW /healthz HTTP/1.1", why=ANY_METHOD),
        line("a method of 40 letters", b"M" * 40 + b" /healthz HTTP/1.1", why="501, and no further reading (9112, 3: SHOULD)"),
        line("no target", b"GET HTTP/1.1"),
        case("no version: HTTP/0.9", b"GET /healthz\r\n", why="HTTP/0.9 is not spoken"),
        line("HTTP/0.9, said", b"GET /healthz HTTP/0.9", why="505: another major version (9110, 15.6.6)"),
        case("HTTP/1.0", b"GET /healthz HTTP/1.0\r\n\r\n"),
        case("HTTP/1.0 that would go on", b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
        line("HTTP/1.2", b"GET /healthz HTTP/1.2", why="read as 1.1 (9110, 2.5: SHOULD)"),
        line("HTTP/2.0", b"GET /healthz HTTP/2.0"),
        case("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", why="505: another major version"),
        line("HTTP/1.10", b"GET /healthz HTTP/1.10", why="a version has one digit behind the dot (9112, 2.3)"),
        line("HTTP/01.1", b"GET /healthz HTTP/01.1", why="a version has one digit before the dot (9112, 2.3)"),
        line("http/1.1", b"GET /healthz http/1.1"),
        case("a TLS handshake", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n"),
    ],
    "Methods": [
        unframed(b"HEAD"),
        unframed(b"POST"),
        unframed(b"OPTIONS"),
        unframed(b"TRACE", why="405 like others; nginx ends the connection"),
        unframed(b"PATCH"),
        line("CONNECT with a path", b"CONNECT /healthz HTTP/1.1", why="CONNECT takes a host and a port (9112, 3.2.3)"),
        line("CONNECT", b"CONNECT a:443 HTTP/1.1", why="501: there are no tunnels, and what follows might be none of HTTP (9110, 9.3.6)"),
        line("OPTIONS *", b"OPTIONS * HTTP/1.1", why="of the server itself: which methods it has (9110, 9.3.7); nginx knows only paths"),
        line("GET *", b"GET * HTTP/1.1", why="* is for OPTIONS alone (9112, 3.2.4)"),
    ],
    "Targets": [
        line("absolute-form", b"GET http://a/healthz HTTP/1.1"),
        line("absolute-form, another host than Host's", b"GET http://b:81/healthz HTTP/1.1"),
        line("absolute-form in capitals", b"GET HTTP://a/healthz HTTP/1.1"),
        line("absolute-form, https", b"GET https://a/healthz HTTP/1.1", why="this connection has no TLS (9110, 7.4: MUST be rejected)"),
        line("absolute-form without a host", b"GET http:///healthz HTTP/1.1", why="an http URI has a host (9110, 4.2.1)"),
        line("absolute-form with a user", b"GET http://u@a/healthz HTTP/1.1", why="a user in it is an error (9110, 4.2.4: SHOULD)"),
        line("authority-form", b"GET a:80 HTTP/1.1", why="a target is a path or an http URI (9112, 3.2)"),
        line("no slash", b"GET healthz HTTP/1.1"),
        line("a fragment", b"GET /healthz#x HTTP/1.1", why="a target has no fragment (9112, 3.2)"),
        line("an escaped letter", b"GET /%68ealthz HTTP/1.1"),
        line("an escaped NUL", b"GET /healthz%00 HTTP/1.1", why="a path that names nothing, like any other"),
        line("an escape of no digits", b"GET /%zz HTTP/1.1", why=WHOLE),
        line("half an escape", b"GET /% HTTP/1.1", why=WHOLE),
        line("dot segments", b"GET /x/../healthz HTTP/1.1", why="a client resolves them (RFC 3986, 6.2.2.3); here they name nothing"),
        line("two slashes", b"GET //healthz HTTP/1.1", why="another path than one slash; others merge them"),
        line("a slash behind", b"GET /healthz/ HTTP/1.1"),
        line("a blank in it", b"GET /heal thz HTTP/1.1", why="a target has no blank, and no guess is made (9112, 3.2)"),
        line("a byte of 0xe9", b"GET /\xe9 HTTP/1.1", why="a URI is of ASCII (RFC 3986, 2)"),
        line("a NUL", b"GET /\0 HTTP/1.1"),
        line("a control character", b"GET /\x01 HTTP/1.1"),
        line("DEL", b"GET /\x7f HTTP/1.1"),
        line("characters that browsers leave unescaped", b'GET /|^"<>`{}\\ HTTP/1.1', why="without a meaning here: taken, as most do"),
        line("7,900 bytes", b"GET /healthz?" + b"q" * 7888 + b" HTTP/1.1"),
        line("9,000 bytes", b"GET /healthz?" + b"q" * 8988 + b" HTTP/1.1", why="8 KiB is this server's limit, 1 MiB is Go's"),
    ],
    "Host": [
        host("none"),
        host("twice the same", b"Host: a", b"Host: a"),
        host("two of them", b"Host: a", b"Host: b"),
        host("empty", b"Host:", why="what is asked here is an http URI, and its host is not empty (9110, 4.2.1)"),
        host("a blank in it", b"Host: a b", why="malformed, so 400 (9112, 3.2: MUST)"),
        host("a path in it", b"Host: a/b"),
        host("a user in it", b"Host: u@a", why="malformed, so 400 (9112, 3.2: MUST)"),
        host("a list", b"Host: a, b", why="malformed, so 400 (9112, 3.2: MUST)"),
        host("a port that is no number", b"Host: a:b", why="malformed, so 400 (9112, 3.2: MUST)"),
        host("a port without a host", b"Host: :80", why="an http URI has a host (9110, 4.2.1)"),
        host("IPv6", b"Host: [::1]:80"),
        host("half of IPv6", b"Host: [::1", why="malformed, so 400 (9112, 3.2: MUST)"),
        host("IPv6 with two gaps", b"Host: [1::2::3]", why="malformed, so 400 (9112, 3.2: MUST)"),
        host("IPv4 in brackets", b"Host: [127.0.0.1]", why="malformed, so 400 (9112, 3.2: MUST)"),
        host("an underscore", b"Host: a_b"),
        host("a byte of 0xe9", b"Host: \xe9", why="malformed, so 400 (9112, 3.2: MUST)"),
    ],
    "Fields": [
        fields("a folded line", b"X: a", b" b", why="400 (9112, 5.2: MUST that or replace it)"),
        fields("a line folded by a tab", b"X: a", b"\tb", why="400 (9112, 5.2: MUST that or replace it)"),
        case("a blank before the first field", GET + b" Host: a\r\n\r\n"),
        fields("a blank before the colon", b"X : a"),
        fields("a tab before the colon", b"X\t: a"),
        fields("no name", b": a", why="a name is a token (9110, 5.1)"),
        fields("no colon", b"X", why="a field line has one (9112, 5)"),
        fields("a blank in a name", b"X y: a"),
        fields("a parenthesis in a name", b"X(y): a", why="a name is a token (9110, 5.1)"),
        fields("a byte of 0xe9 in a name", b"X\xe9: a", why="a name is a token (9110, 5.1)"),
        fields("an underscore in a name", b"X_y: a"),
        fields("a NUL in a name", b"X\0y: a"),
        fields("a NUL in a value", b"X: a\0b"),
        fields("a control character in a value", b"X: a\x01b", why="no field content (9110, 5.5)"),
        fields("DEL in a value", b"X: a\x7fb", why="no field content (9110, 5.5)"),
        fields("bytes of 0x80 and 0xff in a value", b"X: \x80\xff"),
        fields("an empty value", b"X:"),
        fields("blanks around a value", b"X: \t a \t"),
        fields("100 fields", *(b"X%d: a" % n for n in range(99))),
        fields("101 fields", *(b"X%d: a" % n for n in range(100)), why="100 is this server's limit; others count bytes"),
        fields("9,000 bytes in one", b"X: " + b"a" * 9000, why="16 KiB are the limit of a head here; 8 KiB of a line in nginx"),
        fields("20,000 bytes in one", b"X: " + b"a" * 20000, why="431 (RFC 6585, 5), beyond 16 KiB; nginx says 400; Go takes 1 MiB"),
    ],
    "Content-Length": [
        length("5", b" 5"),
        length("5 with blanks around it", b"\t5 \t", why="one of them is a tab, as it may be (9110, 5.6.3)"),
        length("00005", b" 00005"),
        length("+5", b" +5"),
        length("-5", b" -5"),
        length("0x5", b" 0x5"),
        length("5 5", b" 5 5"),
        length("empty", b"", why="no number (9112, 6.3: MUST be refused)"),
        length("5, 5", b" 5, 5", why=NO_LISTS),
        length("5, 6", b" 5, 6"),
        length("5 twice", b" 5\r\nContent-Length: 5", why=NO_LISTS),
        length("5 and 6", b" 5\r\nContent-Length: 6"),
        length("20 digits", b" 99999999999999999999"),
        case("3 GiB", GET + HOST + b"Content-Length: 3221225472\r\n\r\nabcde",
             why="413 beyond the limit of a body; nginx then reads for 5 s; Go leaves it to the handler"),
    ],
    "Transfer-Encoding": [
        coding("chunked", b"Transfer-Encoding: chunked"),
        coding("Chunked", b"Transfer-Encoding: Chunked"),
        coding("with Content-Length before", b"Content-Length: 5", b"Transfer-Encoding: chunked", why=FRAMING),
        coding("with Content-Length behind", b"Transfer-Encoding: chunked", b"Content-Length: 5", why=FRAMING),
        coding("chunked, chunked", b"Transfer-Encoding: chunked, chunked", why=TWICE),
        coding("chunked in two fields", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", why=TWICE),
        coding("gzip", b"Transfer-Encoding: gzip", why="a request's last coding is chunked, or 400 (9112, 6.3: MUST)"),
        coding("gzip, chunked", b"Transfer-Encoding: gzip, chunked"),
        coding("chunked, gzip", b"Transfer-Encoding: chunked, gzip", why="a request's last coding is chunked, or 400 (9112, 6.3: MUST)"),
        coding("identity", b"Transfer-Encoding: identity", why="a request's last coding is chunked, or 400 (9112, 6.3: MUST)"),
        coding("xchunked", b"Transfer-Encoding: xchunked", why="a request's last coding is chunked, or 400 (9112, 6.3: MUST)"),
        coding("chunked in quotes", b'Transfer-Encoding: "chunked"', why=NO_TOKEN),
        coding("chunked with a parameter", b"Transfer-Encoding: chunked;q=1", why="chunked has none: an error (9112, 7.1: SHOULD)"),
        coding("an empty element before", b"Transfer-Encoding: , chunked", why=NO_EMPTY),
        coding("a comma behind", b"Transfer-Encoding: chunked,", why=NO_EMPTY),
        coding("empty", b"Transfer-Encoding:", why="there is no coding, which a request's last has to be (9112, 6.3)"),
        coding("a vertical tab before", b"Transfer-Encoding: \x0bchunked", why=NO_TOKEN),
        coding("a blank before the colon", b"Transfer-Encoding : chunked"),
        coding("folded", b"Transfer-Encoding:", b" chunked", why="400 (9112, 5.2: MUST that or replace it)"),
        case("in HTTP/1.0", b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
             why="HTTP/1.0 has none: the framing is faulty (9112, 6.1: MUST)"),
    ],
    "Chunks": [
        chunks("two of them", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
        chunks("leading zeros", b"0005\r\nabcde\r\n000\r\n\r\n"),
        chunks("17 digits", b"00000000000000005\r\nabcde\r\n0\r\n\r\n", why="16 are read: more can only be meant to overflow"),
        chunks("a size that overflows", b"10000000000000005\r\nabcde\r\n0\r\n\r\n", why=LATER),
        chunks("0x5", b"0x5\r\nabcde\r\n0\r\n\r\n", why=LATER),
        chunks("-5", b"-5\r\nabcde\r\n0\r\n\r\n", why=LATER),
        chunks("a blank before the size", b" 5\r\nabcde\r\n0\r\n\r\n", why=LATER),
        chunks("a blank behind the size", b"5 \r\nabcde\r\n0\r\n\r\n", why=GRAMMAR),
        chunks("an extension", b"5;a=b\r\nabcde\r\n0\r\n\r\n"),
        chunks("an extension in quotes", b'5;a="b;\\"c"\r\nabcde\r\n0\r\n\r\n'),
        chunks("blanks around an extension", b"5 ; a = b\r\nabcde\r\n0\r\n\r\n",
               why="there may be white space around it (9112, 7.1.1: BWS)"),
        chunks("an extension of no name", b"5;\r\nabcde\r\n0\r\n\r\n", why=GRAMMAR),
        chunks("an extension with a LF", b"5;a\nb\r\nabcde\r\n0\r\n\r\n", why=GRAMMAR),
        chunks("an extension with a CR", b"5;a\rb\r\nabcde\r\n0\r\n\r\n", why=GRAMMAR),
        chunks("an extension of 20,000 bytes", b"5;" + b"a" * 20000 + b"\r\nabcde\r\n0\r\n\r\n", why="431: 16 KiB in all (9112, 7.1.1)"),
        chunks("LF behind the size", b"5\nabcde\r\n0\r\n\r\n", why=STRICT_LF),
        chunks("LF behind the content", b"5\r\nabcde\n0\r\n\r\n", why=STRICT_LF),
        chunks("nothing behind the content", b"5\r\nabcde0\r\n\r\n", why=LATER),
        chunks("more content than its size", b"4\r\nabcde\r\n0\r\n\r\n", why=LATER),
        chunks("LF for the last line", b"5\r\nabcde\r\n0\r\n\n", why=STRICT_LF),
        chunks("a trailer", b"5\r\nabcde\r\n0\r\nX: y\r\n\r\n"),
        chunks("a trailer of framing", b"5\r\nabcde\r\n0\r\nContent-Length: 5\r\n\r\n"),
        chunks("a trailer without a colon", b"5\r\nabcde\r\n0\r\nX\r\n\r\n", why="a trailer is a field line (9112, 7.1.2)"),
        chunks("a folded trailer", b"5\r\nabcde\r\n0\r\nX: y\r\n z\r\n\r\n", why="a trailer is a field line (9112, 7.1.2)"),
    ],
    "Connection": [
        fields("close", b"Connection: close"),
        fields("Close among others", b"Connection: x, Close ,y"),
        fields("in two fields", b"Connection: x", b"Connection: close"),
        fields("closed", b"Connection: closed", why="no option that means something; nginx looks for the word in it"),
        fields("keep-alive and close", b"Connection: keep-alive, close"),
        fields("an upgrade to h2c", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
        fields("an upgrade to websocket", b"Connection: Upgrade", b"Upgrade: websocket"),
        case("requests behind the last", GET + HOST + b"Connection: close\r\n\r\n" + GET + HOST + END),
        case("three at once", 3 * (GET + HOST + END)),
        case("HEAD among others", GET + HOST + END + b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + GET + HOST + END),
        case("a body, then another", GET + HOST + b"Content-Length: 5\r\n\r\nabcde" + GET + HOST + END),
        case("nonsense behind a request", GET + HOST + END + b"\x01\x02\r\n\r\n"),
    ],
    "Expect": [
        case("100-continue", GET + HOST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", b"abcde",
             why="the client waits, so it is told to go on at once (9110, 10.1.1: MUST that or a final answer)"),
        case("100-continue, where the answer is known", b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", b"",
             why="the final answer instead, and an end: a body may come all the same (9110, 10.1.1)"),
        case("100-continue, and the body with it", GET + HOST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nabcde",
             why="who sends the body does not wait, and 100 may be left out (9110, 10.1.1)"),
        case("100-continue without a body", GET + HOST + b"Expect: 100-continue\r\n\r\n",
             why="there is no body to go on with (9110, 10.1.1)"),
        case("100-continue in HTTP/1.0", b"GET /healthz HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nabcde"),
        fields("something else", b"Expect: miracles", why="417 (9110, 10.1.1: MAY)"),
    ],
    "Ends": [
        case("behind a request", GET + HOST + END, ends=True),
        case("in a request line", b"GET /hea", ends=True, why="nobody is there to be answered (9112, 8: MAY)"),
        case("in a field", GET + b"Host: a", ends=True, why="nobody is there to be answered (9112, 8: MAY)"),
        case("in a body", b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc", ends=True,
             why="a request is handled when all of it has come; others answer before"),
        case("in a chunk", GET + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", ends=True,
             why="a request is handled when all of it has come; others answer before"),
    ],
}
