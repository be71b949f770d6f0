"""HTTP in production (`bin/web`): REST, admin, API documents."""

import os

from django.core.wsgi import get_wsgi_application

from telcox.common.collector import spare_the_server
from telcox.common.gate import gated

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "telcox.settings")

application = gated(get_wsgi_application())
spare_the_server()
