"""Form fields for values that staff write in another form than the stored one."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from telcox.common.phone import InvalidPhoneNumber, national_number

GB = 2**30


class PhoneNumberField(forms.CharField):
    """A number in any of its forms, stored in the national one."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return text
        try:
            return national_number(text)
        except InvalidPhoneNumber as error:
            raise ValidationError(_("Enter a phone number of 5 to 15 digits."), code="invalid") from error


class GigabytesField(forms.DecimalField):
    """Bytes, written in GB (2**30 bytes). With ten decimals each byte is distinguished, so saving an
    unchanged form changes nothing."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=18, decimal_places=10, min_value=0, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value  # the text that was typed is shown again
        return f"{(Decimal(value) / GB).quantize(Decimal('1e-10')).normalize():f}"

    def clean(self, value: Any) -> Any:
        gigabytes = super().clean(value)
        return gigabytes if gigabytes is None else int((gigabytes * GB).to_integral_value())

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.to_python(self.prepare_value(initial)), data)
