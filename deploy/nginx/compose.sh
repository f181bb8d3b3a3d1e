#!/bin/sh
# In the container of compose.yaml: the same file, with the names of the services instead of the ports of one machine.
sed -e 's/127\.0\.0\.1:8765/web-1:8765/; s/127\.0\.0\.1:8766/web-2:8765/' /etc/nginx/diagsite.conf >/etc/nginx/conf.d/default.conf
