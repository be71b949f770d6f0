"""The line a path names, and whether the caller may see it."""

from rest_framework.request import Request

from customers.models import Line
from telcox.common.errors import InvalidInput, NotFound
from telcox.common.phone import InvalidPhoneNumber, national_number
from telcox.common.web.permissions import sees_everything

# A path segment of any text: what is no phone number gets an answer that says so.
PHONE_NUMBER_SEGMENT = "[^/]+"


def number_in_path(text: str) -> str:
    """The national number. Raises InvalidInput for what cannot be a phone number."""
    try:
        return national_number(text)
    except InvalidPhoneNumber as error:
        raise InvalidInput(str(error), loc=("path", "phone_number")) from error


def may_see(request: Request, phone_number: str) -> bool:
    """Whether the line is the caller's own, or the caller sees every line (then without a query)."""
    if sees_everything(request.user):
        return True
    return Line.objects.visible_to(request.user).filter(phone_number=phone_number).exists()


def line_in_path(request: Request, text: str) -> Line:
    """The line that a path names. Raises InvalidInput as `number_in_path`, and NotFound for one that is not
    there or that the caller may not see."""
    phone_number = number_in_path(text)
    lines = Line.objects.all() if sees_everything(request.user) else Line.objects.visible_to(request.user)
    line = lines.filter(phone_number=phone_number).first()
    if line is None:
        raise NotFound("Not Found", reason="unknown_line")
    return line
