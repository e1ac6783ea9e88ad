# One image for Prefect's server, the worker and the blotter: the same pinned packages everywhere.
#   docker build -t sentinel:0.1.0 .
# A project can be mounted at /srv/alerts (compose.yaml), or be part of an image of its own:
#   FROM sentinel:0.1.0
#   COPY --chown=1001 . /srv/alerts
FROM prefecthq/prefect:3.8.8-python3.12

COPY pyproject.toml hatch_build.py constraints.txt README.md LICENSE /opt/sentinel/
COPY sentinel_core /opt/sentinel/sentinel_core
COPY triggers /opt/sentinel/triggers
COPY flows /opt/sentinel/flows
COPY viewer /opt/sentinel/viewer
COPY docs /opt/sentinel/docs
RUN pip install --no-cache-dir --constraint /opt/sentinel/constraints.txt "/opt/sentinel[scale]"

# Nothing runs as root. The home folder holds what a process leaves for itself; a store in SQLite would
# be there, too, so give it a volume if you use one.
RUN useradd --uid 1001 --create-home sentinel && mkdir -p /srv/alerts && chown sentinel /srv/alerts
USER 1001
ENV HOME=/home/sentinel \
    PREFECT_HOME=/home/sentinel/.prefect \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/alerts
CMD ["sentinel", "--help"]
