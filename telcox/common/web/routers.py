from rest_framework.routers import SimpleRouter


class Router(SimpleRouter):
    """Paths work with a trailing slash and without one."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"
