#!/bin/sh
# In the container of compose.yaml: use the same file with service names instead of local ports.
sed -e 's/127\.0\.0\.1:8765/web-1:8765/; s/127\.0\.0\.1:8766/web-2:8765/' /etc/nginx/diagsite.conf >/etc/nginx/conf.d/default.conf
