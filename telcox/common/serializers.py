from typing import Any

from rest_framework import serializers


class InputSerializer(serializers.Serializer[Any]):
    """A request body: always a JSON object."""

    default_error_messages = {"invalid": "Input should be a valid dictionary"}
