"""The dashboards that are shipped, as code. No part of the operator: it needs nothing of this to run."""
