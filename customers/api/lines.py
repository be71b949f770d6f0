"""The line that a path names, and whether the caller may see it."""

from typing import Any

from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from customers.models import Line
from telcox.common.errors import InvalidInput, NotFound
from telcox.common.phone import InvalidPhoneNumber, national_number
from telcox.common.web.permissions import sees_everything


class LineViewSet(ViewSet):
    """Base class of every view below `/api/customers/`: operations on the line that the path names.

    Before an action runs, the number in the path is checked. The action receives the national number as
    `phone_number`, and runs only for a line that the caller may see. Staff may see every number, also one
    without a line, and for them no query is made. An action with `reads_line=True` finds the line in
    `self.line`.
    """

    lookup_field = "phone_number"
    # Any text: an invalid number is answered with 422, and not with 404.
    lookup_value_regex = "[^/]+"

    # Set by `@action(reads_line=True)`.
    reads_line = False
    line: Line

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action not in self.action_map.values():  # method not allowed, or OPTIONS
            return
        # DRF calls the action with self.kwargs.
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
        """Return the refusal, the same for a line that does not exist and for one that the caller may not
        see, so that callers cannot find out which numbers exist."""
        return NotFound("Not Found", reason="unknown_line")


def _national_number(text: str) -> str:
    try:
        return national_number(text)
    except InvalidPhoneNumber as error:
        raise InvalidInput(str(error), loc=("path", "phone_number")) from error
