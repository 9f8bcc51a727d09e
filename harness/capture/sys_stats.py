"""Samples as Perfetto's own SysStats packets, so that every Perfetto tool shows them.

Keys without a number in Perfetto are only in the suite's counter tracks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import MeminfoCounters, SysStats, VmstatCounters

from foundation.contract import conventions
from foundation.contract.packets import SEQUENCE_STATS, PacketWriter
from harness.capture.samples import Number, Sample

#: /proc/meminfo keys with another name in Perfetto.
_MEMINFO_ALIASES: Final = {
    "sreclaimable": "slabreclaimable",
    "sunreclaim": "slabunreclaimable",
    "committedas": "commitedas",
}


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _numbers(enum: Any, prefix: str) -> Mapping[str, int]:
    return {_squeezed(name.removeprefix(prefix)): number for name, number in enum.items() if number}


_VMSTAT: Final = _numbers(VmstatCounters, "VMSTAT_")
_MEMINFO: Final = _numbers(MeminfoCounters, "MEMINFO_")


def vmstat_number(key: str) -> int | None:
    """Perfetto's number for a /proc/vmstat key, or None."""
    return _VMSTAT.get(_squeezed(key))


def meminfo_number(key: str) -> int | None:
    """Perfetto's number for a /proc/meminfo key, or None."""
    squeezed = _squeezed(key)
    return _MEMINFO.get(_MEMINFO_ALIASES.get(squeezed, squeezed))


def _add(packet: Any, values: Mapping[str, Number]) -> None:
    stats = packet.sys_stats
    for name, value in values.items():
        if name.startswith(conventions.VMSTAT_PREFIX):
            number = vmstat_number(name.removeprefix(conventions.VMSTAT_PREFIX))
            if number is not None:
                stats.vmstat.add(key=number, value=int(value))
        elif name.startswith(conventions.MEMINFO_PREFIX):
            key = name.removeprefix(conventions.MEMINFO_PREFIX).removesuffix("_kb")
            number = meminfo_number(key)
            if number is not None:
                stats.meminfo.add(key=number, value=int(value))
    for resource in conventions.PSI_RESOURCES:
        for line in ("some", "full"):
            total_us = values.get(conventions.psi_total_us(resource, line))
            if total_us is not None:
                resource_number = SysStats.PsiSample.PsiResource.Value(
                    f"PSI_RESOURCE_{resource.upper()}_{line.upper()}"
                )
                stats.psi.add(resource=resource_number, total_ns=int(total_us) * 1000)


def write_sys_stats(writer: PacketWriter, t_ns: int, sample: Sample) -> None:
    """Write the part of ``sample`` that Perfetto has numbers for, as one SysStats packet at ``t_ns``."""
    packet = writer.new(SEQUENCE_STATS)
    packet.timestamp = t_ns
    _add(packet, sample.values)
    packet.sys_stats.collection_end_timestamp = t_ns + sample.t_end_boot_ns - sample.t_boot_ns
    writer.write(packet)
