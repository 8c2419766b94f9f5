"""All texts for people, in every language: one row each, the same fields in all languages."""

from __future__ import annotations

from enum import Enum, auto


class Text(Enum):
    """What can be said."""

    # Members are compared by identity; Enum's own hash is a function in Python.
    __hash__ = object.__hash__

    GREETING = auto()
    BYE = auto()
    BYE_KEPT = auto()
    OCTETS = auto()
    STAT_FOLLOWS = auto()
    LIST_FOLLOWS = auto()
    UIDL_FOLLOWS = auto()
    TOP_FOLLOWS = auto()
    DELETED = auto()
    RESET = auto()
    NOOP = auto()
    CAPA_FOLLOWS = auto()
    MECHANISMS_FOLLOW = auto()
    LANGUAGES_FOLLOW = auto()
    LANGUAGE_SET = auto()
    LANGUAGE_UNKNOWN = auto()
    UTF8_ON = auto()
    TLS_GO = auto()
    TLS_ALREADY = auto()
    TLS_NONE = auto()
    TLS_PIPELINED = auto()
    TLS_AFTER_UTF8 = auto()
    TLS_NEEDED = auto()
    SEND_PASS = auto()
    USER_FIRST = auto()
    LOGGED_IN = auto()
    REFUSED = auto()
    DELAYED = auto()
    LOGIN_TOO_SOON = auto()
    APOP_REFUSED = auto()
    MECHANISM_UNKNOWN = auto()
    SASL_CANCELLED = auto()
    SASL_BROKEN = auto()
    AUTHZID_REFUSED = auto()
    NO_FOLDER = auto()
    NO_MAILBOX = auto()
    NO_SHARED = auto()
    NO_MESSAGE = auto()
    MESSAGE_MARKED = auto()
    MESSAGE_GONE = auto()
    NEEDS_UTF8 = auto()
    SYNTAX = auto()
    UNKNOWN = auto()
    STATE = auto()
    LINE_END = auto()
    TOO_LONG = auto()
    FOREIGN = auto()
    TOO_MANY_ERRORS = auto()
    IDLE = auto()
    STOPPING = auto()
    REVOKED = auto()
    UNAVAILABLE = auto()
    NO_SPACE = auto()
    CONFLICT = auto()
    DENIED = auto()
    FULL = auto()
    TOO_LARGE = auto()
    INTERNAL = auto()


ENGLISH: dict[Text, str] = {
    Text.GREETING: "Posthouse ready",
    Text.BYE: "Goodbye",
    Text.BYE_KEPT: "Goodbye, {count} messages put away",
    Text.OCTETS: "octets",
    Text.STAT_FOLLOWS: "{count} {octets}",
    Text.LIST_FOLLOWS: "{count} messages ({octets} octets)",
    Text.UIDL_FOLLOWS: "Unique ids follow",
    Text.TOP_FOLLOWS: "Top of the message follows",
    Text.DELETED: "Message {msg_no} marked",
    Text.RESET: "{count} messages ({octets} octets)",
    Text.NOOP: "Done nothing",
    Text.CAPA_FOLLOWS: "Capabilities follow",
    Text.MECHANISMS_FOLLOW: "Mechanisms follow",
    Text.LANGUAGES_FOLLOW: "Languages follow",
    Text.LANGUAGE_SET: "{tag} From now on in English",
    Text.LANGUAGE_UNKNOWN: "No such language here; LANG lists them",
    Text.UTF8_ON: "UTF-8 it is",
    Text.TLS_GO: "Begin TLS",
    Text.TLS_ALREADY: "TLS is on already",
    Text.TLS_NONE: "No TLS here",
    Text.TLS_PIPELINED: "Nothing may follow STLS before the handshake",
    Text.TLS_AFTER_UTF8: "STLS comes before UTF8",
    Text.TLS_NEEDED: "No passwords in clear text: use STLS, or the pop3s port",
    Text.SEND_PASS: "Now the password",
    Text.USER_FIRST: "USER comes first",
    Text.LOGGED_IN: "{count} messages ({octets} octets)",
    Text.REFUSED: "Name or password is wrong",
    Text.DELAYED: "Too many wrong passwords; try again later",
    Text.LOGIN_TOO_SOON: "The last login was less than {seconds} seconds ago",
    Text.APOP_REFUSED: "APOP would need passwords kept in clear; use AUTH SCRAM-SHA-256",
    Text.MECHANISM_UNKNOWN: "No such mechanism here; CAPA lists them",
    Text.SASL_CANCELLED: "Given up, as you wish",
    Text.SASL_BROKEN: "That is no answer of this mechanism",
    Text.AUTHZID_REFUSED: "Nobody may act for somebody else here",
    Text.NO_FOLDER: "You are who you say, but there is no such folder",
    Text.NO_MAILBOX: "There is no mailbox behind this login",
    Text.NO_SHARED: "You are who you say, but no such mailbox is shared with you",
    Text.NO_MESSAGE: "No such message",
    Text.MESSAGE_MARKED: "Message {msg_no} is marked deleted",
    Text.MESSAGE_GONE: "Message {msg_no} was taken away by another session",
    Text.NEEDS_UTF8: "This message has an international header; say UTF8 before login",
    Text.SYNTAX: "Arguments are wrong",
    Text.UNKNOWN: "Unknown command",
    Text.STATE: "Not now",
    Text.LINE_END: "Lines end in CRLF and hold neither CR, LF nor NUL",
    Text.TOO_LONG: "Line too long",
    Text.FOREIGN: "This is POP3",
    Text.TOO_MANY_ERRORS: "Too many errors",
    Text.IDLE: "Silent for too long",
    Text.STOPPING: "The server is stopping; come back in a moment",
    Text.REVOKED: "This login is no longer good",
    Text.UNAVAILABLE: "Not possible at the moment; try again",
    Text.NO_SPACE: "The server is short of space; try again later",
    Text.CONFLICT: "Something else was faster; try again",
    Text.DENIED: "You may not do that",
    Text.FULL: "The mailbox is full",
    Text.TOO_LARGE: "Too large",
    Text.INTERNAL: "A fault of the server; it has been noted",
}

GERMAN: dict[Text, str] = {
    Text.GREETING: "Posthouse bereit",
    Text.BYE: "Auf Wiedersehen",
    Text.BYE_KEPT: "Auf Wiedersehen, {count} Nachrichten weggelegt",
    Text.OCTETS: "Oktette",
    Text.STAT_FOLLOWS: "{count} {octets}",
    Text.LIST_FOLLOWS: "{count} Nachrichten ({octets} Oktette)",
    Text.UIDL_FOLLOWS: "Es folgen die Kennungen",
    Text.TOP_FOLLOWS: "Es folgt der Anfang der Nachricht",
    Text.DELETED: "Nachricht {msg_no} vorgemerkt",
    Text.RESET: "{count} Nachrichten ({octets} Oktette)",
    Text.NOOP: "Nichts getan",
    Text.CAPA_FOLLOWS: "Es folgen die Fähigkeiten",
    Text.MECHANISMS_FOLLOW: "Es folgen die Verfahren",
    Text.LANGUAGES_FOLLOW: "Es folgen die Sprachen",
    Text.LANGUAGE_SET: "{tag} Ab jetzt auf Deutsch",
    Text.LANGUAGE_UNKNOWN: "Diese Sprache gibt es hier nicht; LANG nennt sie",
    Text.UTF8_ON: "UTF-8 gilt",
    Text.TLS_GO: "TLS kann beginnen",
    Text.TLS_ALREADY: "TLS gilt schon",
    Text.TLS_NONE: "Hier gibt es kein TLS",
    Text.TLS_PIPELINED: "Nach STLS darf vor dem Handschlag nichts folgen",
    Text.TLS_AFTER_UTF8: "STLS gehört vor UTF8",
    Text.TLS_NEEDED: "Keine Kennwörter im Klartext: STLS oder den Anschluss pop3s benutzen",
    Text.SEND_PASS: "Nun das Kennwort",
    Text.USER_FIRST: "Erst kommt USER",
    Text.LOGGED_IN: "{count} Nachrichten ({octets} Oktette)",
    Text.REFUSED: "Name oder Kennwort ist falsch",
    Text.DELAYED: "Zu viele falsche Kennwörter; später noch einmal versuchen",
    Text.LOGIN_TOO_SOON: "Die letzte Anmeldung liegt keine {seconds} Sekunden zurück",
    Text.APOP_REFUSED: "APOP verlangt Kennwörter im Klartext auf dem Server; AUTH SCRAM-SHA-256 benutzen",
    Text.MECHANISM_UNKNOWN: "Dieses Verfahren gibt es hier nicht; CAPA nennt sie",
    Text.SASL_CANCELLED: "Wie gewünscht abgebrochen",
    Text.SASL_BROKEN: "Das ist keine Antwort dieses Verfahrens",
    Text.AUTHZID_REFUSED: "Hier darf niemand für jemand anderen handeln",
    Text.NO_FOLDER: "Die Anmeldung stimmt, aber diesen Ordner gibt es nicht",
    Text.NO_MAILBOX: "Zu dieser Anmeldung gehört kein Postfach",
    Text.NO_SHARED: "Die Anmeldung stimmt, aber ein solches Postfach ist nicht freigegeben",
    Text.NO_MESSAGE: "Diese Nachricht gibt es nicht",
    Text.MESSAGE_MARKED: "Nachricht {msg_no} ist zum Löschen vorgemerkt",
    Text.MESSAGE_GONE: "Nachricht {msg_no} wurde von einer anderen Sitzung entfernt",
    Text.NEEDS_UTF8: "Diese Nachricht hat einen internationalen Kopf; vor der Anmeldung UTF8 sagen",
    Text.SYNTAX: "Die Angaben stimmen nicht",
    Text.UNKNOWN: "Unbekannter Befehl",
    Text.STATE: "Nicht jetzt",
    Text.LINE_END: "Zeilen enden mit CRLF und enthalten weder CR, LF noch NUL",
    Text.TOO_LONG: "Zeile zu lang",
    Text.FOREIGN: "Hier spricht man POP3",
    Text.TOO_MANY_ERRORS: "Zu viele Fehler",
    Text.IDLE: "Zu lange geschwiegen",
    Text.STOPPING: "Der Server hält an; bitte gleich noch einmal",
    Text.REVOKED: "Diese Anmeldung gilt nicht mehr",
    Text.UNAVAILABLE: "Im Augenblick nicht möglich; noch einmal versuchen",
    Text.NO_SPACE: "Dem Server fehlt Platz; später noch einmal versuchen",
    Text.CONFLICT: "Etwas anderes war schneller; noch einmal versuchen",
    Text.DENIED: "Das ist nicht erlaubt",
    Text.FULL: "Das Postfach ist voll",
    Text.TOO_LARGE: "Zu groß",
    Text.INTERNAL: "Ein Fehler des Servers; er ist vermerkt",
}
