#!/usr/bin/env bash
# Resolves the dependencies of both lines anew: `make lock`. Nothing is resolved at any other time.
# The lock files of TFX 1.21 are for Python 3.11 to 3.13, with conditions where these differ; those of 1.16 for 3.10.
set -euo pipefail
cd "$(dirname "$0")/.."

compile() { # the file to write, then what to resolve
  local file=$1
  shift
  .uv/bin/uv pip compile "$@" --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --quiet --output-file "$file"
  # Without the conditions that hold for all of them: [tool.uv] in pyproject.toml.
  sed -i -e "s/ and platform_python_implementation == 'CPython'//g; s/ and sys_platform == 'linux'//g" \
    -e "s/ and python_full_version < '3.14'//g; s/ ; python_full_version < '3.14' \\\\$/ \\\\/" "$file"
}

for line in 1.16 1.21; do
  folder=requirements/$line
  if [ $line = 1.16 ]; then
    on=(--python-version 3.10) airflow=(--python-version 3.10)
  else # Airflow 2 needs a Python below 3.13
    on=(--universal --python-version 3.11) airflow=(--python-version 3.12 --python-platform x86_64-manylinux_2_39)
  fi
  compile $folder/lock.txt setup.py --extra test "${on[@]}"
  compile $folder/image.txt setup.py requirements/image.in --extra aws --extra azure --extra gcp --extra kubeflow \
    --constraint $folder/lock.txt --override requirements/image-without.in "${on[@]}"
  compile $folder/serving.txt requirements/serving.in --no-deps --constraint $folder/lock.txt "${on[@]}"
  [ -f $folder/airflow.txt ] || cp $folder/lock.txt $folder/airflow.txt # the versions to prefer
  compile $folder/airflow.txt setup.py --extra airflow "${airflow[@]}"
  # For `pip install --constraint`: with hashes, pip would ask for a hash of everything.
  { echo "# The tested versions of $folder/lock.txt, for pip install --constraint. Written by make lock." &&
    sed -nE 's/^([a-zA-Z0-9][^ ]*==[^\\]*[^ \\]) *\\$/\1/p' $folder/lock.txt; } >requirements/$line.txt
done
for name in build audit docs kfp; do # on every Python
  compile requirements/$name.txt requirements/$name.in --universal --python-version 3.10
done
