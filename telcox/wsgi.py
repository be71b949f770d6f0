"""HTTP in production (`bin/web`): REST, admin, API documents."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "telcox.settings")

application = get_wsgi_application()
