from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularRedocView, SpectacularSwaggerView

from telcox.common.web import health, problems

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="docs")),
    path("api/", include("customers.api.urls")),
    path("api/", include("usage.api.urls")),
    path("api/", include("billing.api.urls")),
    # With DEBUG on, Django answers an unknown path with an HTML page for developers. API clients get a
    # problem document instead.
    re_path(r"^api/", problems.not_found),
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
    path("docs", SpectacularSwaggerView.as_view(url_name="openapi"), name="docs"),
    path("redoc", SpectacularRedocView.as_view(url_name="openapi"), name="redoc"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("metrics", health.metrics),
]

handler400 = problems.bad_request
handler403 = problems.forbidden
handler404 = problems.not_found
handler500 = problems.server_error
