"""Form fields for values that staff write in another form than the stored one."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.utils.formats import get_format
from django.utils.translation import gettext_lazy as _

from telcox.common.identity import InvalidIdentity, identity_number
from telcox.common.phone import InvalidPhoneNumber, subscriber_number
from telcox.common.typed_numbers import DOLLAR_SIGNS, AmbiguousNumber, InvalidNumber, typed_number

GB = 2**30


class PhoneNumberField(forms.CharField):
    """Number of a line, written in any way, stored in the national form. `kept` is the number that the line
    has, which may be one that is refused today."""

    kept = ""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text or text == self.kept:
            return text
        try:
            return subscriber_number(text)
        except InvalidPhoneNumber as error:
            raise ValidationError(
                _("This is not a phone number of the country. Enter all of its digits, with the area code."),
                code="invalid",
            ) from error


class IdentityField(forms.CharField):
    """Number of an identity document, written in any way, stored in its normal form."""

    widget = AdminTextInputWidget
    longest = 13

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return text
        try:
            number = identity_number(text)
        except InvalidIdentity as error:
            raise ValidationError(
                _("Enter only digits, and for a passport letters from A to Z."), code="invalid"
            ) from error
        MaxLengthValidator(self.longest)(number)
        return number


class ConfirmBox(forms.BooleanField):
    """Box that has to be ticked before something that cannot be undone. A preview goes without it."""


class NumberBox(AdminTextInputWidget):
    """Box for a number. It is a box for text: in `<input type=number>`, a browser drops the mark that its own
    language does not use, so that `1,50` arrives as `150`."""

    def __init__(self, attrs: Any = None) -> None:
        super().__init__(
            {"inputmode": "decimal", "class": "vNumberField", "autocomplete": "off", **(attrs or {})}
        )


class WholeNumberBox(NumberBox):
    def __init__(self, attrs: Any = None) -> None:
        super().__init__({"inputmode": "numeric", **(attrs or {})})


class TypedNumberMixin:
    """A number as people type it (`typed_number`), shown in the user's language."""

    signs: Collection[str] = ()
    widget = NumberBox

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values or isinstance(value, int | Decimal):  # type: ignore[attr-defined]
            return super().to_python(value)  # type: ignore[misc]
        try:
            return self.fitting(typed_number(str(value), self.signs))
        except AmbiguousNumber as error:
            possible = [each for each in error.readings if self.may_be(each)]
            raise ValidationError(
                _("“%(value)s” can be read in more than one way. Write: %(readings)s"),
                code="ambiguous",
                params={"value": error.text, "readings": "; ".join(number_text(each) for each in possible)},
            ) from error
        except InvalidNumber as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error  # type: ignore[attr-defined]

    def may_be(self, number: Decimal) -> bool:
        """Return whether a person can have meant the number in this box."""
        return True

    def fitting(self, number: Decimal) -> Any:
        """Return the number as the field has it. Raise ValidationError."""
        raise NotImplementedError

    def prepare_value(self, value: Any) -> Any:
        """Return the text in the box; what was typed is shown again as it was typed."""
        return number_text(value) if isinstance(value, Decimal) else value


class NumberField(TypedNumberMixin, forms.DecimalField):
    def fitting(self, number: Decimal) -> Decimal:
        """Drop zeros beyond the field's decimal places: 25.3000 is 25.30."""
        places = self.decimal_places
        if places is None or -int(number.as_tuple().exponent) <= places:
            return number
        rounded = number.quantize(Decimal(1).scaleb(-places))
        return rounded if rounded == number else number


class MoneyField(NumberField):
    """Amount in dollars: `1,50`, `$ 1.50`, `1.234,56 USD`."""

    signs = DOLLAR_SIGNS


class PercentField(NumberField):
    signs = ("%",)


class WholeNumberField(TypedNumberMixin, forms.IntegerField):
    """A whole number. Django's own field takes `1.000` for 1."""

    widget = WholeNumberBox

    def may_be(self, number: Decimal) -> bool:
        return number == int(number)

    def fitting(self, number: Decimal) -> int:
        if number != int(number):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return int(number)


# For `formfield_overrides` of an admin class.
NUMBERS_AS_TYPED: dict[Any, dict[str, Any]] = {
    models.DecimalField: {"form_class": MoneyField},
    models.IntegerField: {"form_class": WholeNumberField, "widget": WholeNumberBox},
    models.BigIntegerField: {"form_class": WholeNumberField, "widget": WholeNumberBox},
}


def number_text(number: Decimal, least: int = 2) -> str:
    """Return the number with the decimal mark of the user's language, with at least so many decimals, and
    without marks between thousands. It is never three decimals, which could be read as thousands."""
    whole, _point, decimals = f"{number:f}".partition(".")
    decimals = decimals.rstrip("0").ljust(least if decimals else 0, "0")
    if len(decimals) == 3:
        decimals += "0"
    return f"{whole}{get_format('DECIMAL_SEPARATOR')}{decimals}" if decimals else whole


class GigabytesField(NumberField):
    """Bytes, written in GB (2**30 bytes). With ten decimals each byte is distinguished, so saving an
    unchanged form changes nothing."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=18, decimal_places=10, min_value=0, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value  # the text that was typed is shown again
        return number_text((Decimal(value) / GB).quantize(Decimal("1e-10")), least=0)

    def clean(self, value: Any) -> Any:
        gigabytes = super().clean(value)
        return gigabytes if gigabytes is None else int((gigabytes * GB).to_integral_value())

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.to_python(self.prepare_value(initial)), data)
