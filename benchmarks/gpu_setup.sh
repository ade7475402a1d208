#!/usr/bin/env bash
# What `tests/gpu` and `benchmarks/gpu_curation.py` take on a GPU machine that reaches no package index and has no more
# than torch, numba, numba-cuda, cupy, pyarrow and pandas. What needs cuDF and Dask is left out there, and said so.
#
#   benchmarks/gpu_setup.sh fetch FOLDER [PYTHON]   where an index is: wheels for that Python (3.11), on x86-64
#   benchmarks/gpu_setup.sh run FOLDER [MEGABYTES]  there, in the repository: install into FOLDER/site, test, measure
#
# `python` is the interpreter that has numba-cuda; nothing of it is changed.
set -euo pipefail

needed=(blake3 ftfy hypothesis orjson phonenumbers psutil pydantic pytest pyyaml rich)
folder=${2:?a folder of wheels}

case ${1:-} in
fetch)
    python -m pip download --quiet --dest "$folder" --only-binary=:all: --python-version "${3:-3.11}" \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 "${needed[@]}"
    ;;
run)
    python -m pip install --quiet --no-index --find-links "$folder" --upgrade --target "$folder/site" "${needed[@]}"
    export PYTHONPATH=$PWD:$folder/site NUMBA_CACHE_DIR=${NUMBA_CACHE_DIR:-$folder/numba}
    python -c 'import numba, numba_cuda, pyarrow; print("numba", numba.__version__, "numba-cuda", numba_cuda.__version__)'
    python -m pytest -p no:cacheprovider -rs tests/gpu
    python benchmarks/gpu_curation.py "${3:-256}"
    ;;
*)
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
