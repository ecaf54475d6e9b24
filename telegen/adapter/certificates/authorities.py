"""The adapter's own CA and its rotation.

A new CA is trusted before it signs, and an old one is trusted as long as certificates that it has signed may be in use:

    trusted   from its making, for the time that clients need to take it over (propagation)
    signs     until its successor does, which is made after two thirds of its lifetime
    trusted   until the last certificate that it signed has ended

Every decision follows from the certificates themselves and the clock, so each replica of the adapter comes to the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from telegen.adapter.certificates.document import Pair
from telegen.adapter.certificates.signing import age, authority_problem, is_due, is_valid, make_authority

MOST_TRUSTED = 8
"""Most CAs of a bundle: repeated deletions of the Secret would let it grow."""


@dataclass(frozen=True)
class Lifetimes:
    """Times in seconds.

    Attributes:
        authority: lifetime of a CA.
        leaf: lifetime of the certificates that it signs.
        propagation: time from the making of a CA, which is trusted at once, until it signs.
    """

    authority: float
    leaf: float
    propagation: float


@dataclass(frozen=True)
class Authorities:
    """The CA that signs, its successor if there is one, and all that are trusted.

    Attributes:
        trusted: PEM of each; `current` first, then `successor`.
    """

    current: Pair
    successor: Pair | None = None
    trusted: tuple[str, ...] = ()

    @property
    def bundle(self) -> str:
        """All trusted CAs as one text."""
        return "".join(f"{pem.strip()}\n" for pem in self.trusted)


@dataclass(frozen=True)
class Step:
    """The authorities from now on, and a reason for the log, "" if nothing has changed."""

    authorities: Authorities
    reason: str = ""


def advance(stored: Authorities | None, known: Authorities | None, name: str, now: float, lifetimes: Lifetimes) -> Step:
    """Decide about the authorities.

    Args:
        stored: of the Secret; None if it does not exist or holds no CA that can sign.
        known: as this process knew them last; None after its start. With it, a lost Secret is a rotation without interruption.
        name: beginning of the name of a new CA.
        now: time in Unix seconds.
    """
    if stored is None:
        step = _restore(known, name, now, lifetimes)
    elif not is_valid(stored.current.certificate, now):
        step = _replace(stored, name, now, lifetimes)
    else:
        step = _rotate(stored, name, now, lifetimes)
    before = [*(stored.trusted if stored else ()), *(_former(stored, known))]
    trusted = _trusted(step.authorities, before, now, lifetimes)
    reason = step.reason or ("the trusted authorities have changed" if stored and trusted != stored.trusted else "")
    return Step(Authorities(step.authorities.current, step.authorities.successor, trusted), reason)


def _restore(known: Authorities | None, name: str, now: float, lifetimes: Lifetimes) -> Step:
    """Authorities in place of lost ones. A deletion may mean that a key is no longer secret: a new CA takes over."""
    fresh = make_authority(name, now, lifetimes.authority)
    if known and is_valid(known.current.certificate, now):
        return Step(Authorities(known.current, fresh), "the Secret was lost: a new CA takes over from the present one")
    return Step(Authorities(fresh), "there was no CA: made one")


def _replace(stored: Authorities, name: str, now: float, lifetimes: Lifetimes) -> Step:
    """Authorities in place of one that is not valid at this time: it has ended, or the clock was changed."""
    if stored.successor and is_valid(stored.successor.certificate, now):
        return Step(Authorities(stored.successor), "the CA is not valid now: its successor signs at once")
    return Step(Authorities(make_authority(name, now, lifetimes.authority)), "the CA is not valid now: made a new one")


def _rotate(stored: Authorities, name: str, now: float, lifetimes: Lifetimes) -> Step:
    """Make the successor of a CA in time, and let it sign when it is trusted everywhere."""
    successor = stored.successor
    if successor and (authority_problem(successor) or not is_valid(successor.certificate, now)):
        successor = None
    if successor and age(successor.certificate, now) >= lifetimes.propagation:
        return Step(Authorities(successor), "the successor of the CA signs from now on")
    if successor or not is_due(stored.current.certificate, now):
        return Step(Authorities(stored.current, successor), "" if successor == stored.successor else "the successor could not be used")
    fresh = make_authority(name, now, lifetimes.authority)
    return Step(Authorities(stored.current, fresh), "the CA ends soon: made its successor")


def _former(stored: Authorities | None, known: Authorities | None) -> Sequence[str]:
    """CAs that this process has used and that a Secret edited by hand does not have: certificates by them are still in use."""
    return known.trusted if known and (stored is None or known.current.certificate not in stored.trusted) else ()


def _trusted(authorities: Authorities, before: Sequence[str], now: float, lifetimes: Lifetimes) -> tuple[str, ...]:
    """The CAs to trust: those that sign or will, and former ones until the last certificates that they signed have ended."""
    chosen = [authorities.current.certificate, *([authorities.successor.certificate] if authorities.successor else [])]
    if age(authorities.current.certificate, now) < lifetimes.propagation + lifetimes.leaf:
        chosen += [pem for pem in before if is_valid(pem, now)]
    return tuple(dict.fromkeys(chosen))[:MOST_TRUSTED]
