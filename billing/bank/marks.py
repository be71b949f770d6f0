"""Marks: the words and signs by which banks say that money came or went, and whether a movement is booked.

Only what is known to be incoming is incoming. A mark that is in none of these lists is UNKNOWN, and the row
is refused: it must not be guessed that it is money. No database, no clock, no settings.
"""

from collections.abc import Iterable
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
        Transferencia a favor, Transferencia a su favor, Transferencia SPI recibida, Transferencia
        interbancaria recibida, Transfer received, Transfer in, Incoming transfer, Paid in, Payment
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
# In a column of A and C, C is Cargo and A is Abono; elsewhere C is Crédito, and A alone is not known.
_CARGO_ABONO = {"c": Mark.WENT, "a": Mark.CAME}


@lru_cache(maxsize=1024)
def mark_of(text: str, *, cargo_abono: bool = False) -> Mark:
    """Return what a mark says. Signs may be in brackets: `(+)`."""
    bare = plain(straight(text).strip("() "))
    if cargo_abono and bare in _CARGO_ABONO:
        return _CARGO_ABONO[bare]
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


def has_cargo(cells: Iterable[str]) -> bool:
    """Return whether in this column C is Cargo: it has A, for Abono, beside C, and nothing else."""
    return {cell.casefold() for cell in cells} == {"a", "c"}


def are_marks(cells: Iterable[str]) -> bool:
    """Return whether all these cells, of one column, say that money came or went."""
    found = set(cells)
    cargo_abono = has_cargo(found)
    marks = {mark_of(cell, cargo_abono=cargo_abono) for cell in found}
    return bool(marks) and marks <= {Mark.CAME, Mark.WENT}


# A text that begins like this is of money that went, where the file has nothing else to say so.
_OUTGOING = sorted(
    names(
        *listed(
            """
            N/D, ND, Nota de débito, Nota débito, Retiro, Egreso, Débito, Transferencia enviada, Transf.
            enviada, Transferencia saliente, Cheque pagado, Cargo por, Comisión, Reverso
            """
        )
    )
)


def begins_as_outgoing(concept: str) -> bool:
    bare = plain(concept) + " "
    return any(bare.startswith(f"{words} ") for words in _OUTGOING)
