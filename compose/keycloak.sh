# Keycloak reads passwords from its environment alone. This puts them there from the files, in this one process.
set -eu
KC_DB_PASSWORD="$(cat /run/secrets/keycloak-database.password)"
KC_BOOTSTRAP_ADMIN_PASSWORD="$(cat /run/secrets/keycloak-admin.password)"
export KC_DB_PASSWORD KC_BOOTSTRAP_ADMIN_PASSWORD
exec /opt/keycloak/bin/kc.sh start --import-realm
