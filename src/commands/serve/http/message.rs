//! Requests and their answers, as bytes.

use std::io::Write;

/// The longest head of a request that is looked at, in bytes.
pub const HEAD_MAX: usize = 8 * 1024;

/// The most header fields of a request.
const FIELDS_MAX: usize = 64;

const PAGE: &str = "\
<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>zerotcp</title>
<h1>It works</h1>
<p>This page came through zerotcp, a TCP/IP stack in user space: every segment of this
connection was parsed, checked, answered and built by it, not by a kernel.</p>
</html>
";

/// What the bytes received so far come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The head of a request is not all there yet.
    NeedsMore,
    /// A request, or something that is none, and its answer.
    Reply {
        /// The answer.
        reply: Reply,
        /// Length of the head, in bytes. After an answer that closes the rest means nothing.
        consumed: usize,
        /// Length of the body that follows it, in bytes.
        body_len: u64,
    },
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    status: Status,
    /// A HEAD request: all but the body.
    head_only: bool,
    connection: Connection,
}

/// What becomes of the connection after an answer (RFC 9112, section 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Connection {
    /// It stays open, as is the rule in HTTP/1.1.
    Persists,
    /// It stays open, for a client of HTTP/1.0 that asked for it.
    KeepsAlive,
    Closes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    LengthRequired,
    HeadTooLarge,
    VersionNotSupported,
}

impl Status {
    /// Code and reason (RFC 9110, section 15).
    fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::LengthRequired => "411 Length Required",
            Status::HeadTooLarge => "431 Request Header Fields Too Large",
            Status::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

impl Reply {
    /// Whether the client may send more requests.
    pub fn keeps_open(&self) -> bool {
        self.connection != Connection::Closes
    }

    /// Appends the answer to `out`. `keeps_open` has the last word on the connection.
    pub fn write(&self, keeps_open: bool, out: &mut Vec<u8>) {
        let line = self.status.line();
        let (media_type, body) = match self.status {
            Status::Ok => ("text/html; charset=utf-8", PAGE.to_owned()),
            _ => ("text/plain; charset=utf-8", format!("{line}\n")),
        };
        let allow = match self.status {
            Status::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            _ => "",
        };
        let connection = match self.connection {
            _ if !keeps_open => "Connection: close\r\n",
            Connection::KeepsAlive => "Connection: keep-alive\r\n",
            _ => "",
        };
        let len = body.len();
        // Writing to a vector can't fail.
        let _ = write!(
            out,
            "HTTP/1.1 {line}\r\nServer: zerotcp\r\nContent-Type: {media_type}\r\n\
             Content-Length: {len}\r\n{allow}{connection}\r\n"
        );
        if !self.head_only {
            out.extend_from_slice(body.as_bytes());
        }
    }
}

/// Looks for a request at the front of `input`, of which no more than [`HEAD_MAX`] bytes are
/// looked at.
pub fn read(input: &[u8]) -> Outcome {
    let input = &input[..input.len().min(HEAD_MAX)];
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(input) {
        Ok(httparse::Status::Complete(consumed)) => answer(&request, consumed),
        Ok(httparse::Status::Partial) if input.len() < HEAD_MAX => Outcome::NeedsMore,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            refuse(Status::HeadTooLarge)
        }
        Err(httparse::Error::Version) => refuse(Status::VersionNotSupported),
        Err(_) => refuse(Status::BadRequest),
    }
}

/// The answer to what is no request: where the next would start is not known.
fn refuse(status: Status) -> Outcome {
    Outcome::Reply {
        reply: Reply {
            status,
            head_only: false,
            connection: Connection::Closes,
        },
        consumed: 0,
        body_len: 0,
    }
}

fn answer(request: &httparse::Request<'_, '_>, consumed: usize) -> Outcome {
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        // httparse gives all three with a complete request.
        return refuse(Status::BadRequest);
    };
    let fields = Fields(request.headers);
    let hosts = fields.values("host").count();
    // RFC 9112, section 3.2: exactly one, but for clients of HTTP/1.0.
    if hosts > 1 || (hosts == 0 && minor > 0) {
        return refuse(Status::BadRequest);
    }
    // Bodies in chunks are not read. A request whose length is in doubt must not be followed by
    // another on the same connection (RFC 9112, section 6.3).
    if fields.values("transfer-encoding").next().is_some() {
        return refuse(Status::LengthRequired);
    }
    let Some(body_len) = fields.content_length() else {
        return refuse(Status::BadRequest);
    };
    let status = match (path(target), method) {
        ("/", "GET" | "HEAD") => Status::Ok,
        ("/", _) => Status::MethodNotAllowed,
        _ => Status::NotFound,
    };
    // A client that waits to be told to send its body may send it or not after this answer (RFC
    // 9110, section 10.1.1): where the next request starts is not known.
    let is_waiting = body_len > 0 && fields.values("expect").next().is_some();
    Outcome::Reply {
        reply: Reply {
            status,
            head_only: method == "HEAD",
            connection: match is_waiting {
                true => Connection::Closes,
                false => fields.connection(minor),
            },
        },
        consumed,
        body_len,
    }
}

/// The path that a target names, without its query. Of the form that proxies use,
/// `http://host/path`, a server takes the path too (RFC 9112, section 3.2.2).
fn path(target: &str) -> &str {
    let origin = target.split(['?', '#']).next().unwrap_or_default();
    match origin.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => origin,
    }
}

/// The header fields of a request.
struct Fields<'a>(&'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    /// The values of all fields called `name`.
    fn values(&self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value)
    }

    /// The elements of the lists in all fields called `name` (RFC 9110, section 5.6.1).
    fn elements(&self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.values(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|element| !element.is_empty())
    }

    /// Length of the body in bytes; `None` where the request contradicts itself or gives no
    /// number (RFC 9110, section 8.6).
    fn content_length(&self) -> Option<u64> {
        let mut len = None;
        for value in self.values("content-length") {
            let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            let number = str::from_utf8(value).ok().filter(|_| is_number)?;
            let number: u64 = number.parse().ok()?;
            if len.is_some_and(|len| len != number) {
                return None;
            }
            len = Some(number);
        }
        Some(len.unwrap_or(0))
    }

    fn connection(&self, minor_version: u8) -> Connection {
        let says = |option: &[u8]| {
            self.elements("connection")
                .any(|element| element.eq_ignore_ascii_case(option))
        };
        match minor_version {
            _ if says(b"close") => Connection::Closes,
            0 if says(b"keep-alive") => Connection::KeepsAlive,
            0 => Connection::Closes,
            _ => Connection::Persists,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer to `request` as text, whether it leaves the connection open, the length of the
    /// head and that of the body.
    fn answer_to(request: &str) -> (String, bool, usize, u64) {
        let Outcome::Reply {
            reply,
            consumed,
            body_len,
        } = read(request.as_bytes())
        else {
            panic!("no answer to {request:?}");
        };
        let mut out = Vec::new();
        reply.write(reply.keeps_open(), &mut out);
        let text = String::from_utf8(out).unwrap();
        (text, reply.keeps_open(), consumed, body_len)
    }

    fn status_of(request: &str) -> (u16, bool) {
        let (text, keeps_open, ..) = answer_to(request);
        (text[9..12].parse().unwrap(), keeps_open)
    }

    #[test]
    fn a_page_is_served() {
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let (text, keeps_open, consumed, body_len) = answer_to(request);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())));
        assert!(!head.contains("Connection"));
        assert_eq!(body, PAGE);
        assert!(keeps_open);
        assert_eq!((consumed, body_len), (request.len(), 0));
    }

    #[test]
    fn head_is_get_without_the_body() {
        for path in ["/", "/none"] {
            let get = answer_to(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).0;
            let head = answer_to(&format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n")).0;
            assert!(head.ends_with("\r\n\r\n"));
            assert!(get.starts_with(&head) && get.len() > head.len());
        }
    }

    #[test]
    fn the_first_of_two_requests_is_answered() {
        let first = "GET /one HTTP/1.1\r\nHost: a\r\n\r\n";
        let (text, _, consumed, _) = answer_to(&format!("{first}GET / HTTP/1.1\r\n"));
        assert!(text.starts_with("HTTP/1.1 404"));
        assert_eq!(consumed, first.len());
    }

    #[test]
    fn half_a_head_needs_more() {
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for len in 0..request.len() {
            assert_eq!(
                read(&request.as_bytes()[..len]),
                Outcome::NeedsMore,
                "{len}"
            );
        }
    }

    #[test]
    fn each_request_has_its_status() {
        let host = "Host: a\r\n\r\n";
        let table = [
            (format!("GET /?q=1 HTTP/1.1\r\n{host}"), (200, true)),
            (format!("GET http://a/ HTTP/1.1\r\n{host}"), (200, true)),
            (format!("GET http://a HTTP/1.1\r\n{host}"), (200, true)),
            (format!("GET http://a/x HTTP/1.1\r\n{host}"), (404, true)),
            (format!("\r\nGET / HTTP/1.1\r\n{host}"), (200, true)),
            (format!("GET /index HTTP/1.1\r\n{host}"), (404, true)),
            (format!("GET // HTTP/1.1\r\n{host}"), (404, true)),
            (format!("POST / HTTP/1.1\r\n{host}"), (405, true)),
            (format!("get / HTTP/1.1\r\n{host}"), (405, true)),
            (format!("OPTIONS * HTTP/1.1\r\n{host}"), (404, true)),
            ("GET / HTTP/1.1\r\n\r\n".into(), (400, false)),
            (format!("GET / HTTP/1.1\r\nHost: b\r\n{host}"), (400, false)),
            (format!("GET / HTTP/2.0\r\n{host}"), (505, false)),
            ("\x16\x03\x01\x02".into(), (400, false)),
            ("garbage\r\n\r\n".into(), (400, false)),
            (
                format!("GET / HTTP/1.1\r\nno colon\r\n{host}"),
                (400, false),
            ),
            (
                format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{host}"),
                (411, false),
            ),
        ];
        for (request, expected) in table {
            assert_eq!(status_of(&request), expected, "{request:?}");
        }
        let (text, ..) = answer_to(&format!("POST / HTTP/1.1\r\n{host}"));
        assert!(text.contains("\r\nAllow: GET, HEAD\r\n"));
    }

    #[test]
    fn the_head_is_bounded() {
        let field = format!("X: {}\r\n", "x".repeat(HEAD_MAX));
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n");
        assert_eq!(status_of(&long), (431, false));
        assert_eq!(status_of(&"G".repeat(HEAD_MAX)), (431, false));
        let fields = "X: y\r\n".repeat(FIELDS_MAX);
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        assert_eq!(status_of(&many), (431, false));
        // The longest that is still answered.
        let bare = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n";
        let value = "x".repeat(HEAD_MAX - bare.len());
        let fits = bare.replace("X: ", &format!("X: {value}"));
        assert_eq!((fits.len(), status_of(&fits)), (HEAD_MAX, (200, true)));
    }

    #[test]
    fn the_body_is_as_long_as_all_lengths_say() {
        let lengths = |values: &[&str]| {
            let fields: String = values
                .iter()
                .map(|value| format!("Content-Length: {value}\r\n"))
                .collect();
            let (text, _, _, len) =
                answer_to(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
            (text[9..12].to_owned(), len)
        };
        assert_eq!(lengths(&["5"]), ("405".into(), 5));
        assert_eq!(lengths(&["5", "5"]), ("405".into(), 5));
        for wrong in [
            &["5", "6"][..],
            &["-1"],
            &["+5"],
            &["5, 6"],
            &[""],
            &["99999999999999999999"],
        ] {
            assert_eq!(lengths(wrong), ("400".into(), 0), "{wrong:?}");
        }
    }

    #[test]
    fn the_client_says_whether_the_connection_stays() {
        let table = [
            ("1.1", "", true),
            ("1.1", "Connection: close\r\n", false),
            ("1.1", "connection: foo, CLOSE\r\n", false),
            ("1.1", "Connection: keep-alive\r\n", true),
            ("1.1", "Connection: closed\r\n", true),
            ("1.0", "", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
            ("1.0", "Connection: keep-alive, close\r\n", false),
            (
                "1.1",
                "Content-Length: 3\r\nExpect: 100-continue\r\n",
                false,
            ),
            ("1.1", "Expect: 100-continue\r\n", true),
        ];
        for (version, fields, stays) in table {
            let (text, keeps_open, ..) =
                answer_to(&format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n"));
            assert_eq!(keeps_open, stays, "{version} {fields:?}");
            assert_eq!(text.contains("\r\nConnection: close\r\n"), !stays, "{text}");
            let says_so = version == "1.0" && stays;
            assert_eq!(
                text.contains("\r\nConnection: keep-alive\r\n"),
                says_so,
                "{text}"
            );
        }
    }

    #[test]
    fn a_client_of_1_0_needs_no_host() {
        assert_eq!(status_of("GET / HTTP/1.0\r\n\r\n"), (200, false));
    }
}
