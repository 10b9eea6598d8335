#!/usr/bin/env bash
# Tries docs/upgrading.md: a project that began at REVISION and has a feature of its own merges the committed state here.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"

base="${1:?merge.sh REVISION}"
project="$(mktemp -d)"
trap 'rm -rf -- "$project"' EXIT
export BOOTSTRAP=0
git clone --quiet "$ROOT" "$project"
cd -- "$project"
git config user.name merge && git config user.email merge@localhost
git switch --quiet -c product "$base"
./scripts/new-feature.sh invoice >/dev/null
git add --all && git commit --quiet -m "feat: invoices"
lists=(CHANGELOG.md src/api/v1/router.py src/models/__init__.py src/queues/beat_schedule.py src/schemas/events.py src/websockets/app.py)
printf '%s merge=union\n' "${lists[@]}" >>.git/info/attributes
pages=(docs tests/api/openapi.json tests/websockets/asyncapi/asyncapi.json)
if ! git merge --quiet --no-edit origin/HEAD; then # a conflict in another file ends the trial
    git checkout --quiet --theirs "${pages[@]}" && git add "${pages[@]}" && git commit --quiet --no-edit
fi
python -m scripts.local run -- bash -c '
    if (($(alembic heads | wc -l) > 1)); then alembic merge -m "merge upstream" heads; fi
    python -m scripts.reference --documents'
python -m pytest -q tests/api/test_invoices.py tests/queues/test_invoices.py tests/websockets/test_invoice.py \
    tests/models/test_migrations.py
echo "Merged ${base} into $(git -C "$ROOT" rev-parse --short HEAD): the feature works."
