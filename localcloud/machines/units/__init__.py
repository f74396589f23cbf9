"""Run a machine's own systemd units, as far as an emulated machine can: this package runs inside the machine.

Nothing but the standard library is there, so nothing else is imported.
"""
