"""The units of length in which files give wavelengths, as they spell them."""

from __future__ import annotations

#: nm in one of them; by their names in the singular and in lower case.
LENGTHS_NM = {
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micrometer", "micrometre", "micron"), 1e3),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e6),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e7),
    **dict.fromkeys(("m", "meter", "metre"), 1e9),
    **dict.fromkeys(("å", "angstrom", "ångström", "ångstrom"), 0.1),
}


def unit_name(unit: str) -> str:
    """Return a unit as `LENGTHS_NM` spells it: lower case, without spaces, in the singular.

    Examples
    --------
    >>> unit_name("Micro Meters"), unit_name("NM"), unit_name("cm-1")
    ('micrometer', 'nm', 'cm-1')
    """
    name = "".join(unit.lower().split())
    return name if name in LENGTHS_NM else name.removesuffix("s")
