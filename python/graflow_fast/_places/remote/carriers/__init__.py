"""The engines: one module each, found by its name.

A module has ``carrier_of(value)``, which returns a `carrier.Carrier` for what it takes as ``executor=`` and None for
all else, and says ``IS_NAMED = True`` if its name may be given, too (``"dask"``, ``"dask://..."``). It imports its
engine's package only when it is asked for.
"""
