"""The line that a path names, and whether the caller may see it."""

from typing import Any

from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from customers.models import Line
from telcox.common.errors import InvalidInput, NotFound
from telcox.common.phone import InvalidPhoneNumber, national_number
from telcox.common.web.permissions import sees_everything


class LineViewSet(ViewSet):
    """What is asked about one line. Every path below `/api/customers/` is answered by a subclass.

    Before an action runs, the number in the path is checked: an action is given the national number as
    `phone_number`, and only for a line that the caller may see. Staff see every number, also one that no line
    has, and for them no query is made; an action with `reads_line=True` finds the line itself in `self.line`.
    """

    lookup_field = "phone_number"
    # Any text: what is no phone number gets an answer that says so.
    lookup_value_regex = "[^/]+"

    # Set by `@action(reads_line=True)`.
    reads_line = False
    line: Line

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action not in self.action_map.values():  # a method that is refused, or OPTIONS
            return
        # The action is called with these.
        phone_number = self.kwargs["phone_number"] = _national_number(kwargs["phone_number"])
        everything = sees_everything(request.user)
        lines = Line.objects.all() if everything else Line.objects.visible_to(request.user)
        lines = lines.filter(phone_number=phone_number)
        if self.reads_line:
            line = lines.first()
            if line is None:
                raise self.not_found()
            self.line = line
        elif not everything and not lines.exists():
            raise self.not_found()

    def not_found(self) -> NotFound:
        """Return the refusal for a line that is not there, and for one that the caller may not see: nobody
        learns which of the two it is."""
        return NotFound("Not Found", reason="unknown_line")


def _national_number(text: str) -> str:
    try:
        return national_number(text)
    except InvalidPhoneNumber as error:
        raise InvalidInput(str(error), loc=("path", "phone_number")) from error
