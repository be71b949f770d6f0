"""Posting of entries: the only way to change a wallet's balance, for one entry or many at once."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _

from billing.models import EntryKind, Wallet, WalletEntry
from billing.models.wallets import TAKING
from customers.models import Line
from telcox.common.database.bulk import chunks
from telcox.common.database.locking import lock_keys, lock_rows
from telcox.common.database.prepared import PreparedQuery
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.errors import DomainError, NotFound
from telcox.common.money import MONEY_MAX, amount_refusal, amount_too_large

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Posting:
    """Request for an entry. `amount` is in dollars and must be positive, except that an ADJUSTMENT has its
    sign."""

    line_id: int
    kind: EntryKind
    amount: Decimal
    reference: str
    description: str = ""
    subscription_id: int | None = None
    payment_id: int | None = None
    credit_note_id: int | None = None

    @property
    def change(self) -> Decimal:
        """Return the change of the balance, in dollars."""
        return -self.amount if self.kind in TAKING else self.amount

    @property
    def of_money_there(self) -> bool:
        """Return whether the entry only moves money that the wallet has, whatever spending limit was agreed:
        what a payment had brought, a set-off, a pay-out."""
        return self.payment_id is not None or self.kind in (EntryKind.SET_OFF, EntryKind.PAY_OUT)


@dataclass(frozen=True)
class Posted:
    """Result of a posting: its entry, which is an earlier one if the posting is `repeated`; or the
    refusal."""

    posting: Posting
    entry: WalletEntry | None = None
    refusal: DomainError | None = None
    repeated: bool = False

    def taken(self) -> WalletEntry:
        """Return the entry. Raise the refusal if there is one."""
        if self.refusal is not None:
            raise self.refusal
        assert self.entry is not None
        return self.entry


def post_entries(*, postings: Sequence[Posting], at: datetime, by: str = "") -> list[Posted]:
    """Write these entries, those of one wallet in the given order, and return the result of each.

    A refusal does not affect the other entries. Reasons: `reference_used` if the reference names another
    movement already; `insufficient_balance` if the wallet would go below its floor, or below 0 by money that
    it must have (`Posting.of_money_there`); `wallet_inconsistent` if the wallet's balance differs from its
    last entry; `unknown_line`; or an amount that is invalid or too large. Posting the same again is
    `repeated`, and changes nothing. The wallets stay locked until the transaction ends: this one, or the
    caller's.
    """
    return retry_lost_locks(lambda: _post(postings, at, by))


def foresee_entry(*, posting: Posting, at: datetime) -> Posted:
    """Return what the posting would result in now. Nothing is written, except the wallet if it is missing."""
    return retry_lost_locks(lambda: _foresee(posting, at))


def lock_credit(line_ids: Collection[int]) -> dict[int, Decimal]:
    """Lock the wallets of these lines that have money until the transaction ends, and return how much, in
    dollars, by line. A wallet whose balance differs from its last entry is left out and logged: nothing is
    paid from it until somebody has looked at it."""
    rows = Wallet.objects.filter(line__in=line_ids, balance_usd__gt=0).order_by()
    having = set(rows.values_list("line", flat=True))
    credit = {}
    for line_id, account in (_locked_accounts(having) if having else {}).items():
        if not account.sound:
            logger.error("wallet of line %d is inconsistent: nothing is set off", line_id)
        elif account.balance > 0:
            credit[line_id] = account.balance
    return credit


@dataclass
class _Account:
    """A locked wallet, as it is after the entries decided so far."""

    wallet_id: int
    floor: Decimal
    position: int
    balance: Decimal
    sound: bool


@transaction.atomic
def _post(postings: Sequence[Posting], at: datetime, by: str) -> list[Posted]:
    accounts = _locked_accounts({posting.line_id for posting in postings})
    references = {posting.reference for posting in postings}
    known = _known_entries(references)
    while True:
        posted = _decide(postings, accounts, known, at, by)
        try:
            with transaction.atomic():
                _write([item.entry for item in posted if item.entry and not item.repeated])
        except IntegrityError:
            # Another transaction has meanwhile used one of the references, on a wallet that is not locked
            # here. It has committed, so its entry can be read now.
            newly_known = _known_entries(references)
            if newly_known.keys() == known.keys():
                raise
            known = newly_known
        else:
            return posted


@transaction.atomic
def _foresee(posting: Posting, at: datetime) -> Posted:
    accounts = _locked_accounts({posting.line_id})
    known = _known_entries({posting.reference})
    return _decide([posting], accounts, known, at, by="")[0]


# --- Reading and locking wallets ---


def _locked_accounts(line_ids: set[int]) -> dict[int, _Account]:
    """Lock the wallets of these lines, and return them by line. A line that does not exist is left out.

    The lock and the last entries are two statements, because a statement that waits for a lock still sees the
    rows as they were when it began.
    """
    wallet_ids = _wallet_ids(line_ids)
    if missing := line_ids - wallet_ids.keys():
        _make_wallets(sorted(missing))
        wallet_ids = _wallet_ids(line_ids)
    accounts = {}
    last = WalletEntry.objects.filter(wallet=OuterRef("pk")).newest_first()
    for chunk in chunks(sorted(wallet_ids.values())):
        of_these = Wallet.objects.filter(pk__in=chunk)
        wallets = {wallet.pk: wallet for wallet in lock_rows(of_these)}
        rows = of_these.order_by().values_list(
            "pk",
            "line__prepaid",
            Subquery(last.values("position")[:1]),
            Subquery(last.values("balance_after")[:1]),
        )
        for pk, prepaid, position, balance_after in rows:
            wallet, balance = wallets[pk], balance_after or Decimal(0)
            accounts[wallet.line_id] = _Account(
                wallet_id=pk,
                floor=wallet.floor(prepaid=prepaid),
                position=position or 0,
                balance=balance,
                sound=balance == wallet.balance_usd,
            )
    return accounts


def _wallet_ids(line_ids: Iterable[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for chunk in chunks(sorted(line_ids)):
        found.update((row["line"], row["pk"]) for row in _wallets(lines=chunk))
    return found


@PreparedQuery
def _wallets(lines: Any) -> QuerySet[Wallet, Any]:
    return Wallet.objects.filter(line__in=lines).order_by().values("line", "pk")


def _make_wallets(line_ids: Sequence[int]) -> None:
    """Create wallets under the locks of their lines. Another process that creates one of them waits for these
    locks, because a wallet's row refers to its line's."""
    for chunk in chunks(line_ids):
        there = lock_keys(Line.objects.filter(pk__in=chunk))
        Wallet.objects.bulk_create(
            Wallet(line_id=line_id) for line_id in sorted(set(there) - _wallet_ids(there).keys())
        )


def _known_entries(references: Iterable[str]) -> dict[str, WalletEntry]:
    """Return the entries that have these references, of any wallet, with their wallets."""
    return {
        entry.reference: entry
        for chunk in chunks(sorted(references))
        for entry in WalletEntry.objects.filter(reference__in=chunk).select_related("wallet")
    }


# --- Deciding ---


def _decide(
    postings: Sequence[Posting],
    accounts: Mapping[int, _Account],
    known: Mapping[str, WalletEntry],
    at: datetime,
    by: str,
) -> list[Posted]:
    accounts = {line_id: replace(account) for line_id, account in accounts.items()}
    lines = {entry.reference: entry.wallet.line_id for entry in known.values()}
    entries = dict(known)
    decided = []
    for posting in postings:
        if entry := entries.get(posting.reference):
            content = (lines[posting.reference], entry.kind, entry.amount)
            if content == (posting.line_id, posting.kind, posting.change):
                decided.append(Posted(posting, entry=entry, repeated=True))
            else:
                refusal = DomainError(
                    _("The reference was already used for another movement: choose a different one"),
                    reason="reference_used",
                )
                decided.append(Posted(posting, refusal=refusal))
            continue
        account = accounts.get(posting.line_id)
        if account is None:
            decided.append(
                Posted(posting, refusal=NotFound(_("The line does not exist"), reason="unknown_line"))
            )
            continue
        if (refused := _refusal(posting, account)) is not None:
            decided.append(Posted(posting, refusal=refused))
            continue
        account.position += 1
        account.balance += posting.change
        entry = WalletEntry(
            wallet_id=account.wallet_id,
            position=account.position,
            kind=posting.kind,
            amount=posting.change,
            balance_after=account.balance,
            reference=posting.reference,
            description=posting.description,
            at=at,
            by=by,
            subscription_id=posting.subscription_id,
            payment_id=posting.payment_id,
            credit_note_id=posting.credit_note_id,
        )
        entries[posting.reference], lines[posting.reference] = entry, posting.line_id
        decided.append(Posted(posting, entry=entry))
    return decided


def _refusal(posting: Posting, account: _Account) -> DomainError | None:
    """Return why this entry is refused on this wallet, or None."""
    amount = abs(posting.amount) if posting.kind == EntryKind.ADJUSTMENT else posting.amount
    if refusal := amount_refusal(amount):
        return refusal
    if not -MONEY_MAX <= account.balance + posting.change <= MONEY_MAX:
        return amount_too_large()
    if not account.sound:
        return DomainError(
            _(
                "The wallet's balance differs from the sum of its entries. Nothing was changed: report it "
                "to the administrators"
            ),
            reason="wallet_inconsistent",
        )
    floor = Decimal(0) if posting.of_money_there else account.floor
    if posting.change < 0 and account.balance + posting.change < floor:
        available = max(Decimal(0), account.balance - floor)
        return DomainError(
            _too_little(posting) % {"needed": f"{-posting.change:.2f}", "available": f"{available:.2f}"},
            reason="insufficient_balance",
        )
    return None


def _too_little(posting: Posting) -> str:
    if posting.kind == EntryKind.CHARGE and posting.of_money_there:
        return _(
            "The payment brought %(needed)s dollars to the wallet, and %(available)s are left: first reverse "
            "what the wallet has paid since"
        )
    return _(
        "The wallet's balance is too low: %(needed)s dollars are needed and %(available)s are "
        "available. Top up first"
    )


def _write(entries: Sequence[WalletEntry]) -> None:
    if not entries:
        return
    WalletEntry.objects.bulk_create(entries)
    if not connection.features.can_return_rows_from_bulk_insert:  # MySQL does not return the keys
        written = _known_entries(entry.reference for entry in entries)
        for entry in entries:
            entry.pk = written[entry.reference].pk
    last = WalletEntry.objects.filter(wallet=OuterRef("pk")).newest_first()
    for chunk in chunks(sorted({entry.wallet_id for entry in entries})):
        Wallet.objects.filter(pk__in=chunk).update(balance_usd=Subquery(last.values("balance_after")[:1]))
