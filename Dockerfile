ARG PYTHON=3.11

# mysqlclient is compiled here; the compiler stays behind.
FROM python:${PYTHON}-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc pkg-config libmariadb-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.lock .
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

FROM python:${PYTHON}-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends libmariadb3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home telcox \
    && install --directory --owner=telcox --mode=700 /documents
WORKDIR /app
ENV DEBUG=0 BIND=0.0.0.0 PORT=8000 PYTHONUNBUFFERED=1 DOCUMENTS_ROOT=/documents
COPY --from=build /app/.venv .venv
COPY . .
# The key protects nothing: no process that answers anybody runs here.
RUN SECRET_KEY=while-building .venv/bin/python manage.py collectstatic --noinput --verbosity 0
# Owns none of the files, so it cannot change them.
USER telcox
EXPOSE 8000
CMD ["bin/web"]
