#!/usr/bin/env bash
# Keep one issue about drift: opened at the first bad night, rewritten at each further one, closed at a good one.
set -euo pipefail
title="Nightly drift"
number=$(gh issue list --state open --search "in:title \"$title\"" --json number,title \
  --jq "map(select(.title == \"$title\")) | .[0].number // empty")

slow=$(grep -c SLOW reproduce.log || true)
if [ "$CODE" = success ] && [ "$LEDGER" = success ] && [ "$slow" = 0 ]; then
  [ -z "$number" ] || gh issue close "$number" --comment "Good again: $GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"
  exit 0
fi

kind="a number drifted or a verdict fell"
[ "$LEDGER" = success ] || [ "$slow" = 0 ] || kind="$kind; it became slow"
[ "$LEDGER" != success ] || kind="it became slow"
[ "$CODE" = success ] || kind="the code broke"
{
  echo "Last bad night: $(date -u +%F), commit $GITHUB_SHA. What happened: **$kind**."
  echo
  echo "Run: $GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"
  for log in ledger.log reproduce.log; do
    [ -f "$log" ] || continue
    printf '\n%s\n\n```\n' "$log"
    tail -n 60 "$log"
    printf '```\n'
  done
} > issue.md
if [ -n "$number" ]; then
  gh issue edit "$number" --body-file issue.md
else
  gh issue create --title "$title" --body-file issue.md
fi
