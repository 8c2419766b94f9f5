"""Replies of the receiving side, and the fixed texts of those that never change.

Spec: RFC 5321 §4.2; RFC 2034, RFC 3463, RFC 5248 (enhanced status codes).

Notes:
    The texts never repeat what the client said: a reply must not carry somebody's bytes to a
    browser that was tricked into speaking to us. Details go to the log.
"""

from __future__ import annotations

from msgspec import Struct


class Reply(Struct, frozen=True):
    """One reply, ready for the wire.

    Attributes:
        code: three digits.
        wire: all its lines with CRLF.
    """

    code: int
    wire: bytes

    def times(self, count: int) -> Reply:
        """The same reply ``count`` times: LMTP answers for each recipient (RFC 2033 §4.2)."""
        return self if count == 1 else Reply(self.code, self.wire * count)


def reply(code: int, enhanced: str, *lines: str) -> Reply:
    """Make a reply.

    Args:
        code: three digits.
        enhanced: such as ``2.1.5``; "" for the replies that carry none (greeting, EHLO, 334, 354).
        lines: ASCII text, at least one line.
    """
    lead = f"{enhanced} " if enhanced else ""
    most = [f"{code}-{lead}{line}\r\n" for line in lines[:-1]]
    return Reply(code, "".join([*most, f"{code} {lead}{lines[-1]}\r\n"]).encode("ascii"))


SENDER_OK = reply(250, "2.1.0", "Sender ok")
RECIPIENT_OK = reply(250, "2.1.5", "Recipient ok")
OK = reply(250, "2.0.0", "Ok")
CHUNK_OK = reply(250, "2.0.0", "Chunk received")
CONTINUE = reply(354, "", "End data with <CR><LF>.<CR><LF>")
BYE = reply(221, "2.0.0", "Bye")
HELP = reply(214, "2.0.0", "See RFC 5321")
VRFY = reply(252, "2.1.5", "Not verified here; mail to it will be tried")
EXPN_REFUSED = reply(502, "5.5.1", "EXPN is not done here")
READY_FOR_TLS = reply(220, "2.0.0", "Ready to start TLS")
TLS_ACTIVE = reply(503, "5.5.1", "TLS is on already")
TLS_MISSING = reply(502, "5.5.1", "STARTTLS is not done here")
LOGGED_IN = reply(235, "2.7.0", "Authentication successful")
LOGIN_REFUSED = reply(535, "5.7.8", "Authentication credentials invalid")
LOGIN_DELAYED = reply(454, "4.7.0", "Too many attempts, try again later")
LOGIN_CANCELLED = reply(501, "5.7.0", "Authentication cancelled")
LOGIN_GARBLED = reply(501, "5.5.2", "Cannot read that response")
MECHANISM_UNKNOWN = reply(504, "5.5.4", "Authentication mechanism not supported")
LOGIN_NEEDS_TLS = reply(538, "5.7.11", "Encryption required for authentication")
LOGIN_REQUIRED = reply(530, "5.7.0", "Authentication required")
LOGIN_GONE = reply(421, "4.7.0", "The credential is no longer valid, closing")
TLS_REQUIRED = reply(530, "5.7.0", "Must issue a STARTTLS command first")
HELLO_FIRST = reply(503, "5.5.1", "Say hello first")
WRONG_HELLO = reply(500, "5.5.1", "Another hello is spoken here")
MAIL_FIRST = reply(503, "5.5.1", "MAIL first")
MAIL_NESTED = reply(503, "5.5.1", "Sender was given already")
RECIPIENT_FIRST = reply(503, "5.5.1", "No valid recipients")
CHUNKS_BEGAN = reply(503, "5.5.1", "BDAT and DATA do not mix in one message")
WRONG_ORDER = reply(503, "5.5.1", "Not now")
TOO_LARGE = reply(552, "5.3.4", "Message exceeds the maximum size")
TOO_LARGE_CLOSING = reply(552, "5.3.4", "Message far exceeds the maximum size, closing")
TOO_MANY_RECIPIENTS = reply(452, "4.5.3", "Too many recipients")
RATE_EXCEEDED = reply(450, "4.7.1", "Sending rate exceeded, try again later")
NEEDS_SMTPUTF8_SENDER = reply(550, "5.6.7", "Address needs SMTPUTF8")
NEEDS_SMTPUTF8_RECIPIENT = reply(553, "5.6.7", "Address needs SMTPUTF8")
FOREIGN_LITERAL = reply(550, "5.7.1", "Relaying denied")
BARE_EOL_IN_CONTENT = reply(550, "5.5.2", "Bare CR or LF in message refused, closing")
BARE_EOL_IN_CHUNK = reply(550, "5.5.2", "Bare CR or LF in message refused")
PIPELINED_DATA = Reply(421, reply(503, "5.5.1", "Message sent without leave, closing").wire)
"""Has the code that ends the session, since the client must not go on."""

TOO_MANY_ERRORS = reply(421, "4.7.0", "Too many errors, closing")
TOO_MANY_UNKNOWN = reply(421, "4.7.0", "Too many refused recipients, closing")
TIMED_OUT = reply(421, "4.4.2", "Timeout, closing")
STOPPING = reply(421, "4.3.2", "Server is stopping, closing")
INTERNAL_ERROR = reply(451, "4.3.0", "Local error, try again later")

GRAMMAR_REPLIES: dict[str, Reply] = {
    "syntax": reply(500, "5.5.2", "Syntax error"),
    "unknown": reply(500, "5.5.1", "Command not recognised"),
    "argument": reply(501, "5.5.4", "Argument missing or not understood"),
    "no-argument": reply(501, "5.5.4", "No argument allowed"),
    "sender": reply(501, "5.1.7", "Bad sender address"),
    "recipient": reply(501, "5.1.3", "Bad recipient address"),
    "route": reply(553, "5.1.3", "Source routes are not accepted"),
    "parameter": reply(555, "5.5.4", "Parameter not recognised"),
    "parameter-value": reply(501, "5.5.4", "Bad parameter value"),
    "chunk": reply(501, "5.5.4", "Bad chunk size, closing"),
    "chunk-size": TOO_LARGE_CLOSING,
    "line": Reply(
        500,
        reply(500, "5.5.2", "Line too long").wire + reply(421, "4.7.0", "Closing").wire,
    ),
    "bare-eol": reply(500, "5.5.2", "Bare CR or LF refused, closing"),
    "http": reply(421, "4.7.0", "This is a mail server, closing"),
    "tls-pipelined": reply(501, "5.5.1", "Nothing may follow STARTTLS, closing"),
}
"""``RemoteProtocolError.reply_hint`` to reply; total over the hints that this package raises."""
