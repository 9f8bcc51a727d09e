"""Stand-ins for what identifies a phone or its owner, the same for the same value.

A stand-in is made from the value and a random salt that is never stored, so nobody can find a serial number
by trying all of them. It has the form of what it stands for where a parser may care. Nobody has addresses
of 198.18.0.0/15 (RFC 2544) and 2001:db8::/32 (RFC 3849), locally administered MAC addresses (IEEE 802),
example.com (RFC 2606), or the telephone country code 999, which is not assigned (ITU-T E.164).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Callable
from typing import Any, Final, Literal

Kind = Literal["serial", "imei", "mac", "id", "phone", "name", "ssid", "account", "e-mail", "ip"]

#: What the name of a property or a boot argument says about its value; the first match counts.
_KEYS: Final[tuple[tuple[Kind, str], ...]] = (
    ("imei", r"imei|imsi|meid|iccid|\besn$|subscriber_?id|msisdn"),
    ("mac", r"mac(_?addr(ess)?)?$|bdaddr|bt_?addr|bluetooth_?address|hwaddr"),
    ("serial", r"serial_?(no|num|number|id)?$|em\.did$|ecid$|unique_?(id|no)$|chip_?id$|\b[dpg]sn$"),
    ("id", r"android_?id|gsf_?id|advertising_?id|uuid|guid"),
    ("phone", r"phone_?number|line1|\bmdn$"),
    ("account", r"account(_?name)?$|e_?mail"),
    ("ssid", r"ssid$"),
    ("name", r"device_?name$|bluetooth_?name$|hostname$|user_?name$|owner_?name$"),
)
#: The value of such a name in getprop, on the kernel's command line, or in settings.
_PAIR: Final = re.compile(
    r"\[(?P<property>[\w.\-]+)\]: \[(?P<content>[^\]\n]*)\]"
    r"|(?P<key>[A-Za-z][\w.\-]*)[ ]?[=:][ ]?(?:\"(?P<quoted>[^\"\n]*)\"|(?P<plain>[^\s,;\"\[\]{}]+))"
)
_ACCOUNT: Final = re.compile(r"Account \{name=([^,}\n]+)")
_USER: Final = re.compile(r"UserInfo\{\d+:([^:}\n]+):")
_SSID: Final = re.compile(r"SSID[:=] ?\"([^\n]+?)\"(?=[,\n]|$)|connected to \"([^\n]+)\"")
#: Head and rows of ``cmd wifi list-networks`` (WifiShellCommand.java).
_NETWORKS: Final = "Network Id"
_NETWORK: Final = re.compile(r"^\d+ {2,}(\S.*?) {2,}\S+ *$", re.MULTILINE)

_EMAIL: Final = re.compile(r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+")
_MAC: Final = re.compile(
    r"(?<![\w:])(?:[0-9A-Fa-f]{2}([:\-]))(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![\w:])"
)
_IPV6: Final = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_IPV4: Final = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_PHONE: Final = re.compile(r"(?<![\w+])\+\d(?:[ \-]?\d){7,14}(?!\d)")
#: IMEI and IMSI have 15 digits, an ICCID 19 or 20 that begin with 89 (ITU-T E.118).
_DIGITS: Final = re.compile(r"(?<![\w.])(?:\d{15}|89\d{17,18})(?![\w]|\.\d)")
_SUBSCRIBER: Final = re.compile(r"imei|imsi|meid|iccid|subscriber", re.IGNORECASE)

#: MAC addresses of nobody: unset, broadcast, and what Android shows to apps.
_NO_MAC: Final = frozenset({"000000000000", "ffffffffffff", "020000000000"})
#: Values of such names that identify nobody.
_PLAIN: Final = re.compile(
    r"true|false|yes|no|on|off|none|null|unknown|<unknown ssid>|unset|default|enabled|disabled|running"
    r"|stopped|user|owner|localhost"
)
#: A known value this long is replaced inside words too; a shorter one (a first name) only as a word.
_LONG: Final = 6
_SHORTEST: Final = 3


class Pseudonyms:
    """Replaces what identifies a phone or a person, in texts and in trees of JSON values.

    `learn` names a value; `learn_from` finds them in a text by the names that stand next to them. `clean`
    also finds what has a form of its own: e-mail, MAC and IP addresses, telephone numbers, IMEI, ICCID.
    Loopback and unset addresses stay. ``public`` are texts that many phones share, such as the model.
    """

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(32)
        self._known: dict[str, Kind] = {}
        self._public: set[str] = set()
        self._issued: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def keep(self, text: str) -> None:
        """Never take ``text`` for an identity: it is a model, a build, a chip."""
        self._public.add(_folded(text))

    def learn(self, kind: Kind, value: str) -> None:
        """Replace ``value`` from now on, unless it is public, too short or an empty word."""
        value = value.strip()
        plain = _folded(value)
        few_digits = value.isdigit() and len(value) < _LONG
        if len(value) < _SHORTEST or few_digits or _PLAIN.fullmatch(plain) or plain in self._public:
            return
        if value in self._issued or set(plain) <= set("0x:.-") or _is_local(value):
            return
        # A property may spell an address without its colons.
        for form in {value, _bare(value)} if kind == "mac" else {value}:
            if form not in self._known:
                self._known[form] = kind
                self._pattern = None

    def learn_from(self, text: str) -> None:
        """Learn what ``text`` names as a serial number, an account, an SSID and so on."""
        for match in _PAIR.finditer(text):
            name = match["property"] or match["key"]
            value = match["content"] or match["quoted"] or match["plain"] or ""
            kind = next((kind for kind, key in _KEYS if re.search(key, name, re.IGNORECASE)), None)
            if kind is not None:
                self.learn(kind, value)
        for match in _ACCOUNT.finditer(text):
            self.learn("account", match[1])
        for match in _USER.finditer(text):
            self.learn("name", match[1])
        for match in _SSID.finditer(text):
            self.learn("ssid", match[1] or match[2])
        if text.startswith(_NETWORKS):
            for row in _NETWORK.findall(text):
                self.learn("ssid", row)

    def clean(self, text: str) -> str:
        """``text`` with stand-ins; cleaning it again changes nothing."""
        self.learn_from(text)
        if self._known:
            text = self._known_values().sub(lambda match: self._of_known(match[0]), text)
        text = self._replace(_EMAIL, "e-mail", text)
        text = self._replace(_MAC, "mac", text, lambda found: _bare(found) not in _NO_MAC)
        text = self._replace(_IPV4, "ip", text, _is_address)
        text = self._replace(_IPV6, "ip", text, _is_address)
        text = self._replace(_PHONE, "phone", text)
        return "\n".join(self._digits(line) for line in text.split("\n"))

    def clean_tree(self, value: Any) -> Any:
        """A JSON value with every string in it cleaned, keys included."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, dict):
            return {self.clean(key): self.clean_tree(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean_tree(inner) for inner in value]
        return value

    def _known_values(self) -> re.Pattern[str]:
        if self._pattern is None:
            longest_first = sorted(self._known, key=len, reverse=True)
            words = (
                re.escape(value) if len(value) >= _LONG else rf"(?<!\w){re.escape(value)}(?!\w)"
                for value in longest_first
            )
            self._pattern = re.compile("|".join(words), re.IGNORECASE)
        return self._pattern

    def _of_known(self, found: str) -> str:
        # The case may differ from that of the known value.
        folded = _folded(found)
        kind = next(kind for value, kind in self._known.items() if _folded(value) == folded)
        return self._stand_in(kind, found)

    def _replace(
        self, pattern: re.Pattern[str], kind: Kind, text: str, counts: Callable[[str], bool] = bool
    ) -> str:
        def stand_in(match: re.Match[str]) -> str:
            found = match[0]
            return found if found in self._issued or not counts(found) else self._stand_in(kind, found)

        return pattern.sub(stand_in, text)

    def _digits(self, line: str) -> str:
        named = _SUBSCRIBER.search(line) is not None
        return self._replace(_DIGITS, "imei", line, lambda found: named or len(found) > 15 or _luhn(found))

    def _stand_in(self, kind: Kind, value: str) -> str:
        """Issue the stand-in for ``value``."""
        if kind == "account" and "@" in value:
            kind = "e-mail"
        same = _bare(value) if kind in ("mac", "phone") else _folded(value)
        digest = hmac.new(self._salt, f"{kind}:{same}".encode(), hashlib.sha256).hexdigest()
        issued = _FORMS[kind](value, digest)
        self._issued.add(issued)
        return issued


def _folded(value: str) -> str:
    return value.strip().casefold()


def _bare(value: str) -> str:
    return re.sub(r"[^0-9a-z]", "", value.casefold())


def _decimal(digest: str, count: int) -> str:
    return f"{int(digest, 16) % 10**count:0{count}d}"


def _mac(value: str, digest: str) -> str:
    octets = ["02", *(digest[at : at + 2] for at in range(0, 10, 2))]
    separator = ":" if ":" in value else "-" if "-" in value else ""
    return separator.join(octets)


def _ip(value: str, digest: str) -> str:
    number = int(digest, 16)
    if ":" in value:
        return str(ipaddress.IPv6Address((0x20010DB8 << 96) | (number & ((1 << 96) - 1))))
    return str(ipaddress.IPv4Address((198 << 24) | (18 << 16) | (number & 0x1FFFF)))


_FORMS: Final[dict[Kind, Callable[[str, str], str]]] = {
    "serial": lambda value, digest: f"SERIAL{digest[:10].upper()}",
    "imei": lambda value, digest: "00" + _decimal(digest, max(13, len(_bare(value)) - 2)),
    "mac": _mac,
    "id": lambda value, digest: digest[:16],
    "phone": lambda value, digest: f"+999{_decimal(digest, 9)}",
    "name": lambda value, digest: f"name-{digest[:10]}",
    "ssid": lambda value, digest: f"ssid-{digest[:10]}",
    "account": lambda value, digest: f"account-{digest[:10]}",
    "e-mail": lambda value, digest: f"user-{digest[:10]}@example.com",
    "ip": _ip,
}


def _luhn(digits: str) -> bool:
    """Whether the last digit checks the others, as that of an IMEI does (3GPP TS 23.003, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _is_address(text: str) -> bool:
    """Whether it is an IP address of somebody."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or str(address).startswith("255."))


def _is_local(serial: str) -> bool:
    """Whether adb's name of a device is that of a local port, which identifies nobody."""
    host = serial.rpartition(":")[0]
    return serial.startswith("emulator-") or host in ("127.0.0.1", "0.0.0.0", "localhost")
