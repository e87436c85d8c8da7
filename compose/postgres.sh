# Once, when the database is made: Keycloak's own database and account. Portico's are the image's.
set -eu
password="$(cat /docker-entrypoint-initdb.d/keycloak.password)"
psql --set=ON_ERROR_STOP=1 --set=password="$password" --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE keycloak LOGIN PASSWORD :'password';
CREATE DATABASE keycloak OWNER keycloak;
REVOKE CONNECT ON DATABASE keycloak FROM PUBLIC;
REVOKE CONNECT ON DATABASE portico FROM PUBLIC;
SQL
