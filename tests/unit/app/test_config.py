"""The configuration file: every mistake names file, key and remedy; the written one reads back."""

import re
from dataclasses import fields, is_dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posthouse.app import config as configuration
from posthouse.app.config import Config, load
from posthouse.app.config_document import document
from posthouse.model.errors import ConfigurationError


def tables(cls, above=""):
    """Name of each table, with those below others, -> what is in it."""
    found = {}
    for field in fields(cls):
        if not field.metadata and field.name != "data":
            name = f"{above}{field.name}"
            found |= {name: field.default_factory, **tables(field.default_factory, f"{name}.")}
    return found


SECTIONS = tables(Config)
SCALARS = [f.name for f in fields(Config) if f.metadata]
KEYS = SCALARS + [
    f"{section}.{f.name}" for section, cls in SECTIONS.items() for f in fields(cls) if f.metadata
]


@pytest.fixture
def read(tmp_path):
    def from_text(text):
        (tmp_path / "posthouse.toml").write_text(text)
        return load(tmp_path)

    return from_text


@pytest.fixture
def complaint(read, tmp_path):
    """The sentence about a wrong file, less the file's name, which it must begin with."""

    def from_text(text):
        with pytest.raises(ConfigurationError) as caught:
            read(text)
        said = str(caught.value)
        assert said.startswith(f"{tmp_path / 'posthouse.toml'}: ")
        return said.removeprefix(f"{tmp_path / 'posthouse.toml'}: ")

    return from_text


def line(key, value):
    section, _, name = key.rpartition(".")
    return f"[{section}]\n{name} = {value}\n" if section else f"{name} = {value}\n"


def value_at(config, key):
    for name in key.split("."):
        config = getattr(config, name)
    return config


# --- reading back


@pytest.mark.parametrize("profile", configuration.PROFILES)
def test_a_new_file_reads_as_what_was_chosen(read, tmp_path, profile):
    config = read(document(profile, "mail.example.org"))
    assert config == Config(tmp_path, profile=profile, hostname="mail.example.org")


def test_a_new_file_names_every_key_with_its_default(read, tmp_path):
    text = document("loopback", "localhost")
    with_all = re.sub(r"^#(\[?[\w.]+(?:\]| = .*))$", r"\1", text, flags=re.MULTILINE)
    assert read(with_all) == Config(tmp_path)
    for key in KEYS:
        assert re.search(rf"^{key.rpartition('.')[2]} = ", with_all, re.MULTILINE), key


def test_every_key_has_its_documentation():
    text = document("loopback", "localhost")
    for cls in (Config, *SECTIONS.values()):
        for field in fields(cls):
            if field.metadata and field.name not in ("profile", "hostname"):
                assert f"# {field.metadata['doc']}\n#{field.name} = " in text


# --- what is refused


@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_the_wrong_kind(complaint, key):
    for wrong in ("{ a = 1 }", "1979-05-27", "[1, 2]"):
        said = complaint(line(key, wrong))
        assert said.startswith(f"{key}: expected "), said


@pytest.mark.parametrize("key", KEYS)
def test_a_key_misspelled(complaint, key):
    section, _, name = key.rpartition(".")
    said = complaint(line(f"{key}x", "1"))
    assert said.startswith(f"{key}x: unknown key; did you mean {section and section + '.'}{name}?")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_that_is_none(complaint, section):
    for wrong in (f"{section} = 1\n", f"[[{section}]]\n"):
        said = complaint(wrong)
        assert said == f"{section}: this is a table; write [{section}] on a line of its own"
    assert "did you mean" in complaint(f"[{section}s]\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('profile = "private"', 'profile: "private" is unknown; use one of: loopback, public'),
        ('hostname = ""', "hostname: give the full name of this host"),
        ('hostname = "two words"', "hostname: give the full name of this host"),
        ("workers = -1", "workers: must be at least 0, got -1"),
        ("workers = true", "workers: expected a whole number, got True"),
        ("workers = 1.5", "workers: expected a whole number, got 1.5"),
        ('allow_plaintext_auth = "yes"', "allow_plaintext_auth: expected true or false"),
        ("allow_plaintext_auth = 1", "allow_plaintext_auth: expected true or false, got 1"),
        ('detail_separator = ""', 'detail_separator: "" is unknown; use one of: + -'),
        ('detail_separator = "@"', 'detail_separator: "@" is unknown'),
        ("pop3_idle = 5", "pop3_idle: unknown key; it belongs into the table [limits]"),
        ("zzz = 5", "zzz: unknown key; known here: activesync, allow_plaintext_auth, "),
        ("[listen]\npop3 = 110", "listen.pop3: expected a list of texts"),
        ('[listen]\npop3 = "110"', 'listen.pop3: "110" is not "host:port"; to close the door'),
        ('[listen]\npop3 = ["127.0.0.1:99999"]', 'listen.pop3: "127.0.0.1:99999" is not'),
        ('[limits]\nmessage_size_max = "5 MX"', "limits.message_size_max: expected a number, or"),
        ('[limits]\nmessage_size_max = "MiB"', "limits.message_size_max: expected a number, or"),
        ("[limits]\nmessage_size_max = inf", "limits.message_size_max: expected a number, or"),
        ("[limits]\nmessage_size_max = nan", "limits.message_size_max: expected a number, or"),
        ("[limits]\nmessage_size_max = 5", "limits.message_size_max: must be at least 1024"),
        ('[limits]\npop3_idle = "4 weeks"', "limits.pop3_idle: expected a number, or text with a"),
        ("[limits]\npop3_idle = 0", "limits.pop3_idle: must be at least 1, got 0"),
        (
            '[limits]\nunlimited_networks = ["10.0.0.0/99"]',
            'limits.unlimited_networks: "10.0.0.0/99" is no network; write it as',
        ),
        ('[queue]\nnameservers = ["dns"]', 'queue.nameservers: "dns" is no address; write it as'),
        ('[queue]\nsmarthost = "relay"', 'queue.smarthost: "relay" is not "host:port"'),
        ('[queue]\nsmarthost_tls = "maybe"', 'queue.smarthost_tls: "maybe" is unknown; use one of'),
        ('[log]\nlevel = "loud"', 'log.level: "loud" is unknown; use one of: debug, info'),
        (
            '[activesync]\nnew_devices = "deny"',
            'activesync.new_devices: "deny" is unknown; use one of: allow, quarantine, block',
        ),
        ("[activesync]\ndevices_per_person = 0", "activesync.devices_per_person: must be at least"),
        (
            "[activesync]\npassword_required = true",
            "activesync.password_required: unknown key; it belongs into the table"
            " [activesync.policy]",
        ),
        (
            "[activesync.policy]\npassword_length_min = 17",
            "activesync.policy.password_length_min: must be at most 16, got 17",
        ),
        (
            "[activesync.policy]\npassword_required = true\nwipe_after_failures = 3",
            "activesync.policy.wipe_after_failures: must be 0 or from 4 to 16, got 3",
        ),
        (
            '[activesync.policy]\nlock_after = "5 min"',
            "activesync.policy.lock_after: means nothing without a code; add password_required",
        ),
        (
            "[activesync.policy]\nallow_simple_password = false",
            "activesync.policy.allow_simple_password: means nothing without a code; add",
        ),
        ("workers = ", "not valid TOML: "),
        ("workers = 1\nworkers = 2", "not valid TOML: "),
    ],
)
def test_a_mistake(complaint, text, expected):
    assert complaint(text).startswith(expected)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigurationError, match="make a data directory with 'posthouse init"):
        load(tmp_path)
    path = tmp_path / "posthouse.toml"
    path.write_bytes(b"hostname = '\xff'\n")
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        load(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigurationError, match=f"{path}: cannot be read: Is a directory"):
        load(tmp_path)


# --- what is understood


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("limits.message_size_max", '"50 MiB"', 50 << 20),
        ("limits.message_size_max", '"1.5GiB"', 3 << 29),
        ("limits.message_size_max", "4096", 4096),
        ("queue.warn_after", '"4 h"', 14_400.0),
        ("queue.warn_after", '"90 min"', 5_400.0),
        ("queue.give_up_after", '"5 days"', 432_000.0),
        ("limits.pop3_idle", "30", 30.0),
        ("limits.pop3_login_delay", '"2 min"', 120.0),
        ("activesync.policy.require_encryption", "true", True),
        ("queue.nameservers", '["::1", "127.0.0.1:5353"]', ("::1", "127.0.0.1:5353")),
        ("listen.pop3", '"[::1]:2110"', ("[::1]:2110",)),
        ("limits.unlimited_networks", "[]", ()),
    ],
)
def test_units_and_lists(read, key, text, value):
    assert value_at(read(line(key, text)), key) == value


def test_listeners(read):
    by_profile = read('profile = "loopback"').listeners()
    assert by_profile == {
        "smtp": (("127.0.0.1", 2025),),
        "submission": (("127.0.0.1", 2587),),
        "submissions": (("127.0.0.1", 2465),),
        "pop3": (("127.0.0.1", 2110),),
        "pop3s": (("127.0.0.1", 2995),),
        "http": (("127.0.0.1", 2080),),
        "https": (("127.0.0.1", 2443),),
        "admin": (("127.0.0.1", 2088),),
    }
    changed = read('[listen]\npop3 = "none"\nlmtp = ["127.0.0.1:24", "[::1]:24"]\nadmin = "none"')
    assert changed.listeners()["lmtp"] == (("127.0.0.1", 24), ("::1", 24))
    assert not {"pop3", "admin"} & set(changed.listeners())
    public = read('profile = "public"').listeners()
    assert public["smtp"] == (("0.0.0.0", 25), ("::", 25))
    assert public["admin"] == (("127.0.0.1", 8088),)


_VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.floats().map(lambda number: repr(number)),
    st.booleans().map(lambda value: str(value).lower()),
    st.text("abcMiBhk.+-:/ 019[]", max_size=12).map(lambda text: f'"{text}"'),
    st.lists(st.sampled_from(['"none"', '"a"', '"::1:25"', '"127.0.0.1:25"']), max_size=3).map(
        lambda values: f"[{', '.join(values)}]"
    ),
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(KEYS), value=_VALUES)
def test_any_value_is_taken_or_refused_by_name(tmp_path, key, value):
    (tmp_path / "posthouse.toml").write_text(line(key, value))
    try:
        config = load(tmp_path)
    except ConfigurationError as e:
        said = str(e)
    else:
        config.listeners()
        assert not is_dataclass(value_at(config, key))
        return
    assert said.startswith(f"{tmp_path / 'posthouse.toml'}: {key}: ")
