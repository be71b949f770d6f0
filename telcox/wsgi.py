"""WSGI application: HTTP in production (`bin/web`), with REST, admin and API documents."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "telcox.settings")

django = get_wsgi_application()

from telcox.common.garbage_collector import spare_the_server  # noqa: E402 - needs the settings
from telcox.common.web.admission import with_admission  # noqa: E402

application = with_admission(django)
spare_the_server()
