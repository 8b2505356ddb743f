#!/bin/sh
# Hands every process its own copies of its secrets, readable by it alone, and the volumes that it writes to. Runs as root
# in a container without a network, at every `up`: a secret that was changed is handed over again.
set -eu
umask 077

# hand USER FOLDER SECRET...
hand() {
    user=$1 folder=/hand/$2
    shift 2
    chmod 755 "$folder"
    for name; do
        # Whole under another name first: its reader never sees half of it.
        cat "/run/secrets/$name" >"$folder/.$name"
        chmod 400 "$folder/.$name"
        chown "$user:$user" "$folder/.$name"
        mv -f "$folder/.$name" "$folder/$name"
    done
}

# own USER FOLDER...
own() {
    user=$1
    shift
    for folder; do
        chown "$user:$user" "/own/$folder"
        chmod 700 "/own/$folder"
    done
}

hand 65532 sealgate mongo_url redis_url mail_password twilio_auth_token
hand 999 mongo mongo_key_file mongo_root_password mongo_password
hand 999 redis redis_password redis_auth.conf
hand 101 nginx tls_key tls_certificate
hand 472 grafana grafana_password
own 65532 keys outbox erasures
own 999 mongo-1 mongo-2 mongo-3 redis
own 65534 prometheus
own 472 grafana
