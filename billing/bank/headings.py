"""The heading of a statement: which column is which, by its title and by what it holds. No database, no
clock, no settings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from billing.bank.amounts import is_amount, is_negative
from billing.bank.balances import money_went
from billing.bank.currencies import is_foreign
from billing.bank.days import is_day, month_is_first
from billing.bank.lines import cells_of
from billing.bank.marks import Letters, answer_if_booked, are_marks, letters_of
from billing.bank.values import RowFault, StatementLayout, Unreadable
from billing.bank.wording import listed, names, plain, words

SEPARATORS = (";", "\t", ",", "|")
# Titles that banks give the columns, the most telling first; in one form of writing (wording.py).
_TITLES: dict[str, tuple[str, ...]] = {
    "date": listed(
        """
        fecha, fecha transacción, fecha movimiento, fecha contable, fecha operación, f operación, fecha
        oper, f contable, fecha proceso, fecha registro, fecha hora, fecha efectiva, date, booking date,
        posting date, posted date, transaction date, date time, completed date, date completed, date
        completed utc, finished on, created on, bookgdt, día, fecha pago, fecha depósito, fecha abono,
        fecha acreditación, fecha crédito, payment date, fecha valor, f valor, value date
        """
    ),
    # The order decides where several are there, so what comes first stays first: a file that is imported
    # again must give its transfers the same references.
    "reference": listed(
        """
        referencia, documento, número documento, reference, doc, número doc, número referencia,
        comprobante, número comprobante, número operación, número transacción, código transacción,
        número movimiento, nut, código operación, referencia banco, bank reference, reference number,
        transaction reference, entry reference, transaction number, transaction id, transferwise id, id
        transacción, acctsvcrref, id, id movimiento, customer reference
        """
    ),
    "concept": listed(
        """
        concepto, detalle, descripción, detalle transacción, descripción transacción, motivo, concept,
        description, details, observación, glosa, referencia 2, payment reference, información
        adicional, concepto ampliado, más datos, memo, narrative, remittance information, transaction
        description, note, nota, detalle movimiento, descripción movimiento, subject, remarks,
        comentario, referencia cliente, referencia ordenante, leyenda, movimiento, ustrd, rmtinf,
        referencia, reference
        """
    ),
    "payer": listed(
        """
        ordenante, originador, payer, payer name, nombre ordenante, remitente, pagador, depositante,
        sender, sender name, source name, name, nombre, counterparty, partner name, contrapartida,
        debtor, debtor name, cliente, from, nombre originador, dbtr
        """
    ),
    "mark": listed(
        """
        tipo, signo, type, +/-, -/+, +, ±, naturaleza, sentido, sign, direction, dirección, d c, c d, d
        h, h d, db cr, cr db, dr cr, cr dr, a c, c a, dc, cd, i e, e s, tipo movimiento, tipo
        transacción, tipo operación, tipo mov, tipo trx, transaction type, credit debit indicator,
        cdtdbtind, balance impact, signo movimiento, debit credit
        """
    ),
    "currency": listed("divisa, moneda, currency, ccy, mon"),
    "state": listed("estado, status, state, estatus, situación, sts"),
}
# Where a title is none of these, a word in it tells what the column is, if none of the others is in it.
_BY_WORD = {
    "currency": (
        words("divisa moneda currency ccy"),
        words("orig original origen extranjera foreign exchange"),
    ),
    "state": (words("estado status state estatus resultado result"), words("cuenta account civil")),
    "mark": (
        words("signo naturaleza sign tipo clase type"),
        words("cuenta account documento cliente cambio canal persona identificacion tarjeta card banco"),
    ),
}
# Dates of the document, not of the movement.
_OTHER_DATES = words("emision vencimiento nacimiento corte desde hasta factura caducidad apertura")
_BY_FIRST_WORD = {
    "date": words("fecha"),
    "concept": words("concepto detalle descripcion observacion description concept"),
    "payer": words("ordenante originador remitente"),
}
# Titles of amounts: what came, what went, or either.
_CAME = words("credito abono haber ingreso deposito entrada credit received recibido acreditado cr")
_WENT = words(
    "debito cargo debe egreso retiro salida debit withdrawal adeudo sent enviado pagado gasto db dr"
)
_EITHER = names(
    "valor", "monto", "importe", "amount", "cantidad", "gross", "net", "amt", "value", "neto", "bruto"
)
# Words that leave the meaning of such a title as it is.
_BESIDE = words(
    "valor monto importe amount nota transaction transaccion movimiento operacion local total usd us dolar "
    "dollar u s numero money value banco cuenta or and"
)
_PHRASES = {"paid in": "credit", "money in": "credit", "paid out": "debit", "money out": "debit"}

# Our names of the columns.
COLUMNS = (*_TITLES, "amount", "debit")
_SEVERAL = ("concept", "payer", "mark", "currency", "state", "debit")
_REQUIRED = frozenset({"date", "reference", "amount"})


@dataclass(frozen=True, slots=True)
class Heading:
    """Line that names columns. `columns` has, for each of our names, the numbers of the columns that could be
    meant, the best first; `asked` are those that the layout names as the amount."""

    number: int
    separator: str
    titles: tuple[str, ...]
    columns: Mapping[str, tuple[int, ...]]
    asked: tuple[int, ...]

    @property
    def width(self) -> int:
        return len(self.titles)


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a section of the file, by their numbers, after its first rows were seen."""

    date: int
    amount: int
    reference: int
    # The amount's column has only money that came.
    is_credit: bool
    # The amounts have signs.
    signed: bool
    month_first: bool
    foreign: bool
    several: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    # What C and A mean in the columns of marks.
    letters: Mapping[int, Letters] = field(default_factory=dict)
    # Columns whose title is not known.
    unnamed: tuple[int, ...] = ()
    # Columns that ask whether the movement is booked, or taken back; with the answer of a booked one.
    answers: Mapping[int, bool] = field(default_factory=dict)
    # There are amounts of both sides, and nothing in an amount's cell says of which side it is.
    both_sides: bool = False

    def all_of(self, name: str, cells: Sequence[str]) -> list[str]:
        return [cell_at(cells, column) for column in self.several.get(name, ())]


def cell_at(cells: Sequence[str], column: int) -> str:
    return cells[column] if column < len(cells) else ""


def heading_in(number: int, line: str, layout: StatementLayout) -> Heading | None:
    """Return the line as a heading, with the separator that makes it one, or None if it is not a heading."""
    for separator in [layout.separator] if layout.separator else SEPARATORS:
        titles = tuple(cells_of(line, separator))
        spelled = [plain(title) for title in titles]
        columns = {name: found for name, found in _columns(titles, spelled, layout) if found}
        if columns.keys() >= _REQUIRED:
            return Heading(number, separator, titles, columns, tuple(_given(spelled, layout, "amount")))
    return None


def _columns(
    titles: Sequence[str], spelled: Sequence[str], layout: StatementLayout
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the columns of each of our names. `spelled` are the titles in one form of writing."""
    kinds = {column: _kind(title) for column, title in enumerate(titles)}
    by_kind = {
        "amount": [column for column, kind in kinds.items() if kind in ("credit", "either", "both")],
        "debit": [column for column, kind in kinds.items() if kind == "debit"],
        "mark": [column for column, kind in kinds.items() if kind == "both"],
    }
    for name in COLUMNS:
        given = _given(spelled, layout, name)
        if given and name not in _SEVERAL:
            yield name, tuple(given)
            continue
        titled = [
            column for wanted in _usual(name) for column, title in enumerate(spelled) if title == wanted
        ]
        worded = [column for column, title in enumerate(spelled) if _is_worded(title, name)]
        yield name, tuple(dict.fromkeys([*given, *titled, *by_kind.get(name, []), *worded]))


@cache
def _usual(name: str) -> tuple[str, ...]:
    return tuple(plain(title) for title in _TITLES.get(name, ()))


def _is_worded(title: str, name: str) -> bool:
    said = title.split()
    if name == "date" and _OTHER_DATES.intersection(said):
        return False
    among, not_among = _BY_WORD.get(name, (frozenset(), frozenset()))
    first = _BY_FIRST_WORD.get(name, frozenset())
    return bool(said) and (said[0] in first or (bool(among & set(said)) and not not_among & set(said)))


def _given(spelled: Sequence[str], layout: StatementLayout, name: str) -> list[int]:
    """Return the columns that the layout names, of titles in one form of writing."""
    wanted = [plain(each) for each in layout.names.get(name, "").split("|") if each.strip()]
    return [column for each in wanted for column, title in enumerate(spelled) if title == each]


def _kind(title: str) -> str:
    """Return whether a title is one of amounts: `credit`, `debit`, `either`, `both` if it names both sides
    (then it is a column of marks, or of amounts with signs), or nothing."""
    bare = plain(title)
    for phrase, kind in _PHRASES.items():
        if bare == phrase:
            return kind
    said = [word for word in bare.split() if not is_foreign(word)]
    rest = [word for word in said if word not in _BESIDE]
    came, went = _CAME.intersection(rest), _WENT.intersection(rest)
    if rest and len(came) + len(went) == len(set(rest)):
        return "both" if came and went else "credit" if came else "debit"
    # `monto usd` or `importe operacion`: the first word names an amount.
    return "either" if said and said[0] in _EITHER and all(word in _BESIDE | _EITHER for word in said) else ""


def choose_columns(heading: Heading, sample: Sequence[Sequence[str]], decimal: str) -> Columns:
    """Choose the columns by what they hold in the first rows, `sample`. `decimal` is the decimal mark, or
    blank if the amounts say it.

    Raise Unreadable if it is not clear which column has the amounts.
    """

    def held(column: int) -> list[str]:
        return [cell for cells in sample if (cell := cell_at(cells, column))]

    amount = _amount_column(heading, held)
    date = next(
        (each for each in heading.columns["date"] if _most(held(each), is_day)), heading.columns["date"][0]
    )
    references = heading.columns["reference"]
    reference = next((each for each in references if held(each)), references[0])
    single = {amount, date, reference}
    several = {
        name: tuple(each for each in heading.columns.get(name, ()) if each not in single) for name in _SEVERAL
    }
    # Whatever its title: a column that has only marks is one.
    others = [each for each in range(heading.width) if each not in single]
    marks = [
        each
        for each in others
        if each in several["mark"]
        or (
            each not in several["debit"]
            and are_marks(
                heading.titles[each], held(each), of_text=each in (*several["concept"], *several["payer"])
            )
        )
    ]
    several["mark"] = tuple(marks)
    for name in ("currency", "state"):
        several[name] = tuple(each for each in several[name] if held(each))
    known = single.union(*several.values())
    kind, signed = _kind(heading.titles[amount]), any(is_negative(cell) for cell in held(amount))
    balance = next((each for each in others if _is_balance(heading.titles[each])), None)
    falls = (
        balance is not None
        and not (signed or kind == "credit" or any(map(held, several["debit"])))
        and money_went([(cell_at(each, amount), cell_at(each, balance)) for each in sample], decimal)
    )
    return Columns(
        date=date,
        amount=amount,
        reference=reference,
        is_credit=kind == "credit",
        signed=signed,
        month_first=month_is_first(held(date)),
        foreign=is_foreign(heading.titles[amount]),
        several=several,
        letters={each: letters_of(heading.titles[each], held(each)) for each in several["mark"]},
        unnamed=tuple(each for each in others if each not in known),
        answers={
            each: answer
            for each in others
            if each not in known and (answer := answer_if_booked(heading.titles[each])) is not None
        },
        both_sides=not signed and (falls or kind == "both"),
    )


def _is_balance(title: str) -> bool:
    return not {"saldo", "balance"}.isdisjoint(plain(title).split()[:2])


def _amount_column(heading: Heading, held: Callable[[int], list[str]]) -> int:
    """Return the column of the amounts. Of several that could be it by their titles, it is the one that holds
    amounts. A column of days as 20261128 holds none."""
    candidates = heading.asked or heading.columns["amount"]
    if len(candidates) == 1 and not (held(candidates[0]) and all(map(is_day, held(candidates[0])))):
        return candidates[0]
    holding = [each for each in candidates if _most(held(each), is_amount) and not _most(held(each), is_day)]
    if not holding and not any(map(held, candidates)):
        # No rows, or only outgoing money: the column for what came is empty.
        holding = [each for each in candidates if _kind(heading.titles[each]) == "credit"] or list(candidates)
    if len(holding) != 1:
        raise Unreadable(RowFault.UNCLEAR_AMOUNT)
    return holding[0]


def _most(cells: Sequence[str], are: Callable[[str], bool]) -> bool:
    return 2 * sum(map(are, cells)) > len(cells)
