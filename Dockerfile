# mertk in a container. The build needs the base image and the package indexes, nothing else.
#
#   processors:  docker build -t mertk .
#   GPUs:        docker build -t mertk:cuda --build-arg BASE=nvidia/cuda:13.0.1-base-ubuntu24.04 --build-arg TORCH_INDEX= .
#   use:         docker run --rm -it -v "$PWD":/work mertk mertk doctor --writable /work
#                docker run --rm -it --gpus all --shm-size 8g -v "$PWD":/work mertk:cuda bash
#
# What is made in /work belongs to the user of the container; add --user "$(id -u):$(id -g)" to own it.

# A Debian or Ubuntu with Python 3.10 to 3.13, or whose packages have it.
ARG BASE=python:3.12-slim-trixie

FROM ${BASE} AS python
# The version is the distribution's; an image that brings its own Python keeps that one.
# hadolint ignore=DL3008
RUN python3 -c 'import venv, ensurepip' 2>/dev/null \
    || { apt-get update \
        && apt-get install --yes --no-install-recommends python3 python3-venv \
        && rm -rf /var/lib/apt/lists/*; }

FROM python AS build
# torch without the libraries of CUDA, which need gigabytes; empty for those of the package index.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Extras, such as [demo] or [tune,umap]; setup.cfg lists them.
ARG EXTRAS=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/mertk
ENV PATH=/opt/mertk/bin:$PATH
WORKDIR /source
COPY constraints.txt setup.cfg pyproject.toml MANIFEST.in README.md CHANGELOG.md LICENSE ./
COPY data_prep data_prep
COPY recipes recipes
COPY mertk mertk
RUN pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -c constraints.txt ".${EXTRAS}"

FROM python
COPY --from=build /opt/mertk /opt/mertk
ENV PATH=/opt/mertk/bin:$PATH
RUN useradd --create-home --uid 10001 mertk && mkdir /work && chown mertk: /work
USER 10001
WORKDIR /work
# An image that is not fit for a run is none.
RUN mertk doctor --writable /work
CMD ["mertk", "--help"]
