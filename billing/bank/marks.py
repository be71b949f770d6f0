"""Marks: the words and signs by which banks say that money came or went, and whether a movement is booked.

Only what is known to be incoming is incoming. A mark that is in none of these lists is UNKNOWN, and the row
is refused: it must not be guessed that it is money. No database, no clock, no settings.
"""

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache

from billing.bank.amounts import straight
from billing.bank.wording import listed, names, plain, words


class Mark(Enum):
    CAME = "came"
    WENT = "went"
    # How it was paid, which can be either way: transfer, deposit in cash, fee.
    NEITHER = "neither"
    UNKNOWN = "unknown"


_CAME = names(
    *listed(
        """
        +, C, CR, CRE, CRED, Crédito, Credit, CRDT, N/C, NC, Nota de crédito, Nota crédito, NCR, Not.
        crédito, N. crédito, Abono, ABO, Haber, H, HAB, Ingreso, ING, Ingresado, Depósito, DEP, DEPO,
        Deposit, DSLIP, Consignación, Acreditación, Acreditado, Crédito SPI, Depósito en efectivo,
        Depósito efectivo, Depósito ventanilla, Depósito cheque, Cash deposit, Entrada, ENT, In,
        Incoming, Income, Inbound, Recibido, Recibida, Received, Money in, Transferencia recibida,
        Transf. recibida, Trf. recibida, TRF REC, Transferencia recibida SPI, Transferencia entrante,
        Transferencia a su favor, Transferencia SPI recibida, Transferencia interbancaria
        recibida, Transfer received, Transfer in, Incoming transfer, Paid in, Payment
        received, Money received, Credit transfer, ACH credit, Wire in, Topup, Top-up, BGC, Faster
        payment received, Ingreso por transferencia, Abono por transferencia, Abono transferencia,
        Crédito por transferencia, Crédito transferencia, Cobro recibido, Pago recibido, Recaudación
        """
    )
)
_WENT = names(
    *listed(
        """
        -, D, DB, DR, DEB, DBIT, Débito, Debit, N/D, ND, Nota de débito, Nota débito, NDB, Not. débito,
        N. débito, Debe, Cargo, CAR, CGO, Adeudo, Egreso, EGR, Retiro, RET, Out, Retirada, Salida, SAL,
        Outgoing, Outbound, Enviado, Enviada, Sent, Money out, Paid out, Transferencia enviada, Transf.
        enviada, Trf. enviada, TRF ENV, Transferencia enviada SPI, Transferencia saliente, Transferencia
        emitida, Transferencia realizada, Transferencia SPI enviada, Transferencia interbancaria
        enviada, Transfer sent, Transfer out, Outgoing transfer, Wire out, Payment sent, Money sent,
        Withdrawal, Cash withdrawal, ATM, Card payment, Mastercard payment, Fee, Fees, Charge, Comisión,
        Comisiones, Impuesto, IVA, ISD, Costo, Cheque pagado, Cheque girado, Check, Direct debit, Débito
        directo, Débito automático, Débito por transferencia, Débito bancario, Pago realizado, Pago
        enviado, Pago proveedor, Pago de servicios, Compra, Retiro ATM, Retiro cajero, Retiro de
        efectivo, Cargo por servicio, ACH debit, Debit card
        """
    )
)
_NEITHER = names(
    *listed(
        """
        Transferencia, Transf., TRF, TRANSF, Transfer, Transferencia SPI, SPI, SPL, ACH, SEPA,
        Transferencia interbancaria, Transferencia interna, Transferencia directa, Wire, Pago, Payment,
        Efectivo, Cash, Cheque, Ventanilla, Banca web, Banca móvil, Internet, Web, Móvil, Online, Bank
        transfer, Transferencia bancaria, Transferencia en línea, Transferencia web, General payment
        """
    )
)
_BOOKED = names(
    *listed(
        """
        Completado, Completada, Completed, Complete, Contabilizado, Contabilizada, Procesado, OK,
        Procesada, Processed, Aplicado, Aplicada, Acreditado, Acreditada, Confirmado, Confirmada,
        Confirmed, Exitoso, Exitosa, Successful, Success, Succeeded, Efectuado, Efectuada, Final,
        Ejecutado, Ejecutada, Executed, Realizado, Realizada, Liquidado, Liquidada, Settled, Done,
        Posted, Booked, BOOK, Cleared, Finalizado, Finalizada, Efectivo, Efectiva, Recibido, Recibida,
        Received, Cobrado, Cobrada, Pagado, Pagada, Paid, Registrado, Registrada
        """
    )
)


# The same by words: `transferencia recibida de otros bancos`.
_CAME_WORDS = words(
    "recibido recibida entrante credito abono deposito ingreso haber incoming received credit acreditacion"
)
_WENT_WORDS = words(
    "enviado enviada saliente emitida emitido debito cargo retiro egreso debit outgoing sent "
    "withdrawal adeudo"
)
_BESIDE = words(
    "transferencia transf trf transfer spi ach sepa banco bank otro interbancario interbancaria directo "
    "directa interno interna por a su favor cuenta cta efectivo cheque ventanilla nota pago payment bancario "
    "bancaria nacional internacional local exterior linea web movil cajero in via"
)


class Letters(Enum):
    """What C and A mean in a column of marks."""

    # C is Crédito, and A alone is not known.
    CREDIT = "credit"
    # C is Cargo, and A is Abono.
    CARGO = "cargo"
    # C may be Crédito or Cargo.
    OPEN = "open"


_LETTERS = {
    Letters.CREDIT: dict[str, Mark](),
    Letters.CARGO: {"c": Mark.WENT, "a": Mark.CAME},
    Letters.OPEN: {"c": Mark.UNKNOWN, "a": Mark.UNKNOWN},
}


@lru_cache(maxsize=1024)
def mark_of(text: str, letters: Letters = Letters.CREDIT) -> Mark:
    """Return what a mark says. Signs may be in brackets: `(+)`. A sign beside a word must say the same."""
    bare = straight(text).strip("() ")
    mark = _said(plain(bare), letters)
    signs = {_SIGNS[each] for each in (bare[:1], bare[-1:]) if each in _SIGNS}
    return mark if signs <= {mark} else Mark.UNKNOWN


_SIGNS = {"+": Mark.CAME, "-": Mark.WENT}


def _said(bare: str, letters: Letters) -> Mark:
    if bare in _LETTERS[letters]:
        return _LETTERS[letters][bare]
    if bare in _CAME:
        return Mark.CAME
    if bare in _WENT:
        return Mark.WENT
    if bare in _NEITHER:
        return Mark.NEITHER
    said = set(bare.split())
    came, went = said & _CAME_WORDS, said & _WENT_WORDS
    if bool(came) == bool(went) or not said - came - went <= _BESIDE:
        return Mark.UNKNOWN
    return Mark.CAME if came else Mark.WENT


@lru_cache(maxsize=1024)
def is_booked(text: str) -> bool:
    """Return whether a state is known to mean that the bank has booked the movement."""
    return plain(text) in _BOOKED


def letters_of(title: str, cells: Iterable[str]) -> Letters:
    """Return what C and A mean in a column: by its title, `Cargo/Abono`, or because it has A, for Abono,
    beside C. With other marks beside these two, it is open."""
    if plain(title) in _CARGO_TITLES:
        return Letters.CARGO
    found = {cell.casefold() for cell in cells}
    if not found >= {"a", "c"}:
        return Letters.CREDIT
    return Letters.CARGO if found == {"a", "c"} else Letters.OPEN


_CARGO_TITLES = names("Cargo/Abono", "Abono/Cargo", "C/A", "A/C", "Cargo o abono", "Cargo abono")
# Longest code, as REV or TRF.
_CODE_MAX = 4


# Columns of codes that are no marks.
_OTHER_CODES = words(
    "agencia oficina sucursal caja cajero canal terminal usuario ciudad segmento categoria agency"
)


def are_marks(title: str, cells: Sequence[str], *, of_text: bool = False) -> bool:
    """Return whether these cells, of one column, are marks: all say that money came or went; or all are short
    codes, of which some say so; or most are known marks. The last does not hold for a column `of_text`.

    A column that has only dashes has nothing, unless it has no title.
    """
    if title and set(cells) == {"-"}:
        return False
    letters = letters_of("", cells)
    said = [mark_of(cell, letters) for cell in cells]
    telling = sum(mark in (Mark.CAME, Mark.WENT) for mark in said)
    if letters is not Letters.OPEN and telling in (0, len(said)):
        return bool(telling)
    if not _OTHER_CODES.isdisjoint(plain(title).split()):
        return False
    if all(len(cell) <= _CODE_MAX and not cell.isdecimal() for cell in cells):
        return True
    known = sum(mark is not Mark.UNKNOWN for mark in said)
    return not of_text and 2 * known >= len(said)


# A text that begins like this is of money that went, where the file has nothing else to say so.
_OUTGOING = names(
    *listed(
        """
        N/D, ND, N. débito, Nota de débito, Nota débito, Retiro, Egreso, Débito, DEB, Debitado, Débito
        automático, Salida, Cargo, Adeudo, Transferencia enviada, Transf. enviada, Trf. enviada,
        Transferencia saliente, Transferencia emitida, Transferencia realizada, Transferencia a favor,
        Transferencia a terceros, Envío, Giro enviado, Cheque pagado, Chq pagado, Pago cheque,
        Cheque girado, Comisión, Cobro de
        comisión, Costo, Impuesto, ISD, Retención, Compra, Consumo, Pago a proveedor, Pago de nómina,
        Pago de rol, Pago de servicios, Pago SRI, Withdrawal, Fee
        """
    )
)
# So begins the text of money that was given back: by the bank, to us or to the customer.
_RETURNED = names(
    *listed(
        """
        Reverso, Reversa, Reversión, REV, Extorno, Anulación, Devolución, DEV, Devuelto, Reembolso,
        Contracargo, Rechazo, Refund, Reversal, Chargeback, Returned, Transferencia devuelta,
        Transferencia rechazada, Cheque devuelto
        """
    )
)


def begins_as_outgoing(concept: str) -> bool:
    """Return whether a text begins as that of money that went, or was given back."""
    return _begins(concept, _OUTGOING) or begins_as_returned(concept)


def begins_as_returned(concept: str) -> bool:
    """Return whether a text begins as that of money that was given back, so that it is no payment."""
    return _begins(concept, _RETURNED)


def _begins(text: str, known: frozenset[str]) -> bool:
    said = plain(text[:60]).split()
    return any(" ".join(said[:count]) in known for count in (1, 2, 3))


def says_outgoing(line: str) -> bool | None:
    """Return whether a title of a file or of a part of it says that what follows went: `Transferencias
    enviadas`; False if it came, None if it says nothing or both."""
    said = set(plain(line).split())
    came, went = bool(said & _CAME_WORDS), bool(said & (_WENT_WORDS | _WENT_TITLES))
    return None if came == went or said & _NO_TITLE else went


_WENT_TITLES = words("realizada realizado proveedor nomina salida")
_NO_TITLE = words("total saldo balance tarjeta card subtotal resumen cantidad numero limite cupo linea")

# --- What the bank has not booked ---

_UNBOOKED = words(
    "anulado anulada rechazado rechazada reversado reversada revertido revertida devuelto devuelta cancelado "
    "cancelada rejected returned reversed cancelled canceled voided void failed fallido fallida pendiente "
    "pending rechazo anulacion eliminado eliminada"
)
# In a text, these may be the customer's: *pago pendiente*; *cancelado* is *paid*, too.
_OPEN_WORDS = words("pendiente pending cancelado cancelada")
_OF_MOVEMENT = words(
    "transferencia transf trf pago deposito transaccion operacion movimiento transfer payment"
)
_NO = words("no n false falso ninguno na -")
_BOOKED_TITLES = words("confirmado confirmada procesado procesada contabilizado contabilizada booked posted")
_UNBOOKED_TITLES = _UNBOOKED - words("pendiente pending") | words("reverso reversa reversal")


# Texts without these letters are not looked at closer: most rows have a text of their own.
_MAYBE_UNBOOKED = re.compile(
    "anula|rechaz|rever|devuel|cancel|reject|return|void|fail|fallid|pend|elimin", re.IGNORECASE
)


def says_unbooked(cell: str) -> bool:
    """Return whether a text says that the bank has not booked the movement, or has taken it back:
    `Rechazada`, `Transferencia rechazada por el banco`."""
    if not _MAYBE_UNBOOKED.search(cell, 0, 60):
        return False
    said = plain(cell[:60]).split()
    alone = len(said) == 1 and said[0] in _UNBOOKED
    return alone or (len(said) > 1 and said[0] in _OF_MOVEMENT and said[1] in _UNBOOKED - _OPEN_WORDS)


def answer_if_booked(title: str) -> bool | None:
    """Return what a column answers for booked movements: False in a column *Anulado*, True in a column
    *Confirmado*, None in others."""
    titled = set(plain(title).split())
    if titled & _UNBOOKED_TITLES:
        return False
    return True if titled and titled <= _BOOKED_TITLES else None


def is_no(cell: str) -> bool:
    """Return whether a cell says no: `No`, `N`, `0,00`, or nothing."""
    return all(each in _NO or not each.strip("0") for each in plain(cell[:60]).split())
