"""The query language: words, "phrases", from:, to:, subject:, body:, and a star for what goes on.

Notes:
    Never an error: what is no operator is a word. All terms must be met. ``word*`` finds what
    begins so.
"""

from __future__ import annotations

import re

from posthouse.ports.fulltext import Query, Term, Where

TERMS_MAX = 32
_TEXT_MAX = 1_000
_TERM_CHARS_MAX = 200
_TERM = re.compile(r'(?:(?P<field>[A-Za-z]{2,7}):)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
_FIELDS = {
    "from": Where.SENDER,
    "to": Where.RECIPIENTS,
    "cc": Where.RECIPIENTS,
    "subject": Where.SUBJECT,
    "body": Where.BODY,
}


def parse_query(text: str) -> Query:
    """Read a query as people type it; beyond 32 terms or 1 000 characters the rest is left out."""
    terms: list[Term] = []
    for match in _TERM.finditer(text[:_TEXT_MAX]):
        field, phrase, word = match["field"], match["phrase"], match["word"]
        where = _FIELDS.get((field or "").lower(), Where.ANYWHERE)
        content = phrase if phrase is not None else word
        if field and field.lower() not in _FIELDS:
            content = f"{field} {content}"
        is_prefix = phrase is None and content.endswith("*")
        content = content[:_TERM_CHARS_MAX]
        if any(c.isalnum() for c in content):
            terms.append(Term(content.rstrip("*"), where, is_prefix))
        if len(terms) == TERMS_MAX:
            break
    return Query(tuple(terms))
