# Jeder Satz, den ein Mensch liest, auf Deutsch. Ein Schlüssel, eine Zeile.
# Ein Satz sagt, was geschehen ist und was jetzt zu tun ist; nie einen Grund, der einem Angreifer hilft.

# Die Frage nach der Zustimmung
consent-title = { $client } möchte sich verbinden
consent-lead = Eine App möchte { $resource } in Ihrem Namen benutzen.
consent-caution = Stimmen Sie nur zu, wenn Sie das gerade selbst begonnen haben.
confirm-title = Bitte prüfen: Das erhält { $client }
confirm-lead = Sie sind angemeldet. Nicht alles, worum die App bat, kann Ihnen gegeben werden. Bitte bestätigen Sie, was bleibt.
confirm-silent-title = Ist das Ihr Konto?
confirm-silent-lead = { $client } erhält gleich Zugriff. Sie waren noch angemeldet, darum hat niemand gefragt, wer Sie sind: Bitte prüfen Sie das Konto.
client-name-absent = Eine App ohne Namen
client-answer-host = Führt Sie zurück zu
client-answer-loopback = einer App auf diesem Gerät ({ $host })
client-answer-private = einer App auf diesem Gerät ({ $scheme }:)
client-unverified = Ungeprüft
resource-label = Möchte benutzen
scope-title = Das wird sie können
scope-none = Nichts, außer zu wissen, dass Sie angemeldet sind
scope-kind-read = Lesen
scope-kind-write = Ändern
scope-kind-other = Nutzen
scope-kind-keep = Bleiben
scope-kind-know = Wissen
scope-mcp-read = Dokumente suchen und lesen und Werkzeuge benutzen, die nur nachsehen
scope-mcp-write = Inhalte anlegen und ändern, zum Beispiel Notizen
scope-mcp-infer = Das KI-Modell Ihrer App Inhalte dieses Servers bearbeiten lassen
scope-offline_access = Verbunden bleiben, während Sie weg sind, bis Sie es beenden
scope-openid = Sie wiedererkennen, wenn Sie zurückkommen
scope-profile = Ihren Namen und Benutzernamen erfahren
scope-email = Ihre E-Mail-Adresse erfahren
scope-unknown = Eine Berechtigung, die nur die Betreiber dieses Servers erklären können:
warning-unverified = Niemand hat diese App geprüft. Sie nennt sich „{ $client }“, und Ihre Antwort geht an { $host }. Fahren Sie nur fort, wenn Sie diese Adresse kennen.
warning-loopback = Ihre Antwort geht an ein Programm auf diesem Gerät. Jedes Programm hier könnte sich „{ $client }“ nennen. Fahren Sie nur fort, wenn Sie das gerade selbst begonnen haben.
warning-private = Ihre Antwort öffnet über eine „{ $scheme }:“-Adresse ein Programm auf diesem Gerät. Fahren Sie nur fort, wenn Sie das gerade selbst begonnen haben.
remembered-note = Ihre Antwort wird für diese App, diese Adresse und diese Berechtigungen gemerkt.
allow = Zulassen
deny = Ablehnen

# Anmelden
sign-in-title = Melden Sie sich an, um zu antworten
sign-in-and-allow = Anmelden und zulassen
username = Benutzername
password = Passwort
sign-in-wrong = Benutzername oder Passwort stimmen nicht. Bitte versuchen Sie es noch einmal.
sign-in-slow = Das waren zu viele Versuche. Bitte warten Sie { $minutes } Minuten und versuchen Sie es dann noch einmal.
signed-in-as = Angemeldet als
signed-in-at = bei
continue-note = Als Nächstes melden Sie sich an. Vorher erhält die App nichts.
continue-to-provider = Zulassen und bei { $provider } anmelden
continue-to-choice = Zulassen und anmelden
choose-title = Wo möchten Sie sich anmelden?
choose-lead = { $client } erhält, was Sie zugelassen haben, sobald Sie angemeldet sind.
choose-here = Ein Konto von { $product }
choose-silent = { $provider } antwortet gerade nicht. Wählen Sie einen anderen Weg, oder versuchen Sie es in einer Minute noch einmal.
leaving-title = Weiter zu { $provider }
leaving-text = Melden Sie sich dort an. Danach werden Sie hierher zurückgeführt.
leaving-link = Weiter
another-account = Anderes Konto benutzen

# Schon gegebene Antworten
answered-title = Sie haben schon geantwortet
answered-text = Diese Anfrage ist erledigt. Kehren Sie zu Ihrer App zurück; wenn sie noch wartet, beginnen Sie die Verbindung dort noch einmal.

# Fehler
error-reference = Kennzeichen
error-reference-help = Wenn Sie jemanden um Hilfe bitten, nennen Sie dieses Kennzeichen.
error-start-again-title = Bitte noch einmal beginnen
error-start-again-text = Diese Anmeldung ist zu Ende oder gehört zu einem anderen Browser. Kehren Sie zu Ihrer App zurück und verbinden Sie sich noch einmal.
error-unknown-client-title = Diese App ist hier nicht bekannt
error-unknown-client-text = Vielleicht wurde sie entfernt. Löschen Sie die Verbindung in Ihrer App und legen Sie sie neu an; dann stellt sich die App neu vor.
error-redirect-title = Die Rückadresse der App wird nicht angenommen
error-redirect-text = Die App wollte die Antwort an eine Adresse, die sie nicht angemeldet hat. Darum wurde nichts an sie gesendet. Legen Sie die Verbindung in Ihrer App neu an. Wenn Sie diese App entwickeln, vergleichen Sie die Rückadresse mit den angemeldeten.
error-request-title = Die Anfrage der App ist nicht brauchbar
error-request-text = Etwas darin fehlt oder ist falsch; es wurde nichts weitergegeben. Aktualisieren Sie die App oder sagen Sie es denen, die sie herstellen.
error-forbidden-title = Das kam nicht von dieser Seite
error-forbidden-text = Zu Ihrer Sicherheit wurde die Antwort nicht angenommen. Gehen Sie zurück, laden Sie die Seite neu und antworten Sie noch einmal.
error-too-many-title = Etwas zu schnell
error-too-many-text = Das waren zu viele Anfragen. Bitte warten Sie einige Minuten und versuchen Sie es noch einmal.
error-unavailable-title = Im Moment nicht erreichbar
error-unavailable-text = Ein Teil dieses Dienstes antwortet nicht. Es ging nichts verloren; bitte versuchen Sie es in einer Minute noch einmal.
error-refused-title = Das ist nicht erlaubt
error-refused-text = Die Regeln dieses Servers erlauben es nicht. Fragen Sie die Menschen, die ihn betreiben.
error-mistake-title = Hier ist etwas schiefgegangen
error-mistake-text = Das ist unser Fehler, nicht Ihrer. Bitte versuchen Sie es noch einmal; wenn es wieder geschieht, sagen Sie es den Menschen, die diesen Server betreiben.
error-not-found-title = Hier ist nichts
error-not-found-text = Diese Adresse gehört nicht zu uns. Prüfen Sie sie, oder beginnen Sie auf der Startseite.

# Abmelden
logout-title = Abmelden?
logout-text = Ihre Anmeldung in diesem Browser endet. Zugelassene Apps bleiben verbunden.
logout-button = Abmelden
logout-back = Angemeldet bleiben
logout-text-elsewhere = Sie sind hier über { $provider } angemeldet. Sie können sich auch dort abmelden; andere Dienste, bei denen Sie es benutzen, fragen dann vielleicht neu, und Apps, die Sie seitdem zugelassen haben, müssen neu verbunden werden.
logout-here = Nur hier abmelden
logout-everywhere = Hier und bei { $provider } abmelden
signing-out-title = Abmelden bei { $provider }
signing-out-text = Hier sind Sie abgemeldet. Nun werden Sie auch dort abgemeldet.
signing-out-link = Weiter
signed-out-everywhere-text = Ihre Anmeldung hier und bei { $provider } ist beendet. Sie können diese Seite schließen.
signed-out-title = Sie sind abgemeldet
signed-out-text = Ihre Anmeldung in diesem Browser ist beendet. Sie können diese Seite schließen.

# Die Startseite
home-title = Eine Vordertür für MCP-Server
home-lead = Apps und KI-Assistenten erreichen den Server hinter dieser Seite nur mit der Zustimmung eines Menschen, der sich hier anmeldet.
home-url-label = Die Adresse für Ihre App
home-url-help = Tragen Sie sie als entfernten MCP-Server oder Connector ein. Alles Weitere findet Ihre App selbst heraus und führt Sie zum Anmelden hierher zurück.
home-signed-in = Sie sind angemeldet als { $account }.
home-sign-out = Abmelden
