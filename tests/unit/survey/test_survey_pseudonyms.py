"""What identifies is replaced wherever it stands, the same value by the same words, and nothing else."""

from __future__ import annotations

import ipaddress
import json
import re
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.survey.pseudonyms import Kind, Pseudonyms

_LETTERS = string.ascii_letters + string.digits


def _luhn(body: str) -> str:
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(body)))
    return body + str(-total % 10)


MAC = st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex(":"))
#: Kind -> values as they occur. Each is found by its own form, without a name next to it.
BY_FORM: dict[str, st.SearchStrategy[str]] = {
    "imei": st.text(string.digits, min_size=14, max_size=14).map(_luhn),
    "iccid": st.text(string.digits, min_size=17, max_size=18).map(lambda rest: "89" + rest),
    "mac": MAC,
    "e-mail": st.from_regex(
        r"[a-z][a-z0-9.+_-]{0,20}[a-z0-9]@[a-z0-9-]{2,12}\.(org|co\.uk)", fullmatch=True
    ),
    "ipv4": st.ip_addresses(v=4).map(str),
    "ipv6": st.ip_addresses(v=6).map(str),
    "phone": st.from_regex(r"\+[1-9][0-9]( ?[0-9]){8,11}", fullmatch=True),
}
SERIAL = st.text(_LETTERS, min_size=8, max_size=16).filter(
    lambda text: re.search(r"\d.*[A-Za-z]", text) is not None
)
NAME = (
    st.text("äöüßéñ'" + _LETTERS + " ", min_size=3, max_size=20)
    .map(str.strip)
    .filter(lambda text: len(text) > 3 and not text.isascii())
)


def nobodys(value: str) -> bool:
    """Addresses that are everybody's."""
    bare = re.sub(r"[^0-9a-f]", "", value)
    if bare in ("0" * 12, "f" * 12, "020000000000"):
        return True
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified or value.startswith("255.")


@pytest.mark.parametrize("kind", BY_FORM)
@given(data=st.data(), before=st.sampled_from(["", "a=", "[x]: [", "see ", '{"k": "', "("]))
def test_by_form(kind: str, data: st.DataObject, before: str) -> None:
    value = data.draw(BY_FORM[kind])
    assume(not nobodys(value))
    names = Pseudonyms()
    after = {"a=": "", "[x]: [": "]", '{"k": "': '"}', "(": ")"}.get(before, "")
    text = f"{before}{value}{after}\nagain {value}, and more"
    cleaned = names.clean(text)
    assert value not in cleaned
    assert names.clean(cleaned) == cleaned
    found, again = cleaned.split("\n")
    assert found.startswith(before)
    stand_in = found.removeprefix(before).removesuffix(after)
    assert again == f"again {stand_in}, and more"


@given(serial=SERIAL, name=NAME, mac=MAC, other=SERIAL)
def test_by_name(serial: str, name: str, mac: str, other: str) -> None:
    assume(not nobodys(mac) and len({serial.lower(), other.lower(), name.lower()}) == 3)
    assume(name.lower() not in (serial + other).lower())
    names = Pseudonyms()
    names.keep("Pixel 8")
    names.learn_from(
        f"[ro.serialno]: [{serial}]\n[ro.product.model]: [Pixel 8]\n"
        f"[ro.boot.btmacaddr]: [{mac.replace(':', '')}]\nandroidboot.em.did={other} quiet"
    )
    names.learn("name", name)
    tree = {
        "text": f"usb:{serial.lower()} x{serial}y Pixel 8 {mac.upper()} {mac.replace(':', '')}",
        f"key {other}": [{"deep": f"'{name}'"}, 12, None, 1.5, True],
    }
    cleaned = names.clean_tree(tree)
    for written in (json.dumps(cleaned), json.dumps(cleaned, ensure_ascii=False)):
        for value in (serial, other, mac, mac.replace(":", "")):
            assert value.lower() not in written.lower()
    assert cleaned["text"].endswith("Pixel 8 " + " ".join(cleaned["text"].split()[-2:]))
    (key,) = cleaned.keys() - {"text"}
    assert cleaned[key][0]["deep"].startswith("'name-")
    assert cleaned[key][1:] == [12, None, 1.5, True]
    with_colons, without = cleaned["text"].split()[-2:]
    assert with_colons.replace(":", "") == without
    assert names.clean_tree(cleaned) == cleaned


def test_two_folders_have_nothing_in_common() -> None:
    one, two = Pseudonyms(), Pseudonyms()
    assert one.clean("serialno=R5CT30ABCDE") != two.clean("serialno=R5CT30ABCDE")


@pytest.mark.parametrize(
    "text",
    [
        "  8192  2048  16384  0  16384  0  0  0  0",
        "pgsteal_kswapd 123456789012345678\nnr_free_pages 12",
        "6 (kworker/0:0H) S 2 0 0 0 -1 69238880 0 0",
        "/dev/block/zram0                         partition\t3145724\t\t123456\t\t-2",
        "324000 123\n610000 99",
        "[ro.build.fingerprint]: [google/shiba/shiba:15/AP4A.241205.013/12621605:user/release-keys]",
        "12-01 05:04:05.123  1432  1561 I am_kill : [0,77,com.old,905,stale,1]",
        "Linux version 6.1.75-android14-11-g6a1b5c4d3e2f-ab12077835 (kleaf@build-host)",
        "\tTemperature{mValue=38.0, mType=3, mName=VIRTUAL-SKIN, mStatus=0}",
        "Perfetto v49.0 (N/A)\nlistening on 127.0.0.1:5555 and 0.0.0.0, ::1",
        "02:00:00:00:00:00 00:00:00:00:00:00",
        "[ro.serialno]: []\n[persist.sys.serial]: [unknown]\nnull",
        "-rw-r--r-- 1 root root 4096 2026-12-01 05:04 uevent",
        "wl:4b42cdfa: build id 0123456789abcdef0123456789abcdef01234567",
        "a0000000-a0ffffff : System RAM",
    ],
)
def test_what_identifies_nobody_stays(text: str) -> None:
    assert Pseudonyms().clean(text) == text


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("name", "user"),
        ("serial", "0"),
        ("serial", "emulator-5554"),
        ("serial", "127.0.0.1:6520"),
        ("name", "Pixel 8"),
    ],
)
def test_words_that_would_tear_a_text_apart_are_not_learned(kind: Kind, value: str) -> None:
    names = Pseudonyms()
    names.keep("Pixel 8")
    names.learn(kind, value)
    assert names.clean(f"a {value} of all") == f"a {value} of all"


def test_an_address_without_its_colons() -> None:
    names = Pseudonyms()
    names.learn("mac", "3c:5a:b4:1d:ee:07")
    assert (
        names.clean("p2p-3C5AB41DEE07").lower()
        == f"p2p-{names.clean('3c:5a:b4:1d:ee:07').replace(':', '')}"
    )


def test_networks_of_a_list() -> None:
    names = Pseudonyms()
    head = "Network Id      SSID                         Security type"
    assert "Zum L" not in names.clean(f"{head}\n0            Zum Löwen                  wpa2-psk^\n")
    assert "Zum L" not in names.clean("scan found Zum Löwen")
