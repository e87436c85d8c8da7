# Every sentence a person reads, in English. One key, one line.
# A sentence says what happened and what to do now; never a reason that an attacker could use.

# Asking for consent
consent-title = { $client } wants to connect
consent-lead = An app asks to use { $resource } in your name.
consent-caution = Allow it only if you have just started this yourself.
confirm-title = Check what { $client } will get
confirm-lead = You are signed in. Not everything the app asked for can be given to you, so please confirm what is left.
confirm-silent-title = Is this your account?
confirm-silent-lead = { $client } is about to get access. You were still signed in, so nobody asked who you are: please check the account.
client-name-absent = An app without a name
client-answer-host = Returns you to
client-answer-loopback = an app on this device ({ $host })
client-answer-private = an app on this device ({ $scheme }:)
client-unverified = Unverified
resource-label = Wants to use
scope-title = It will be able to
scope-none = Nothing but know that you are signed in
scope-kind-read = Read
scope-kind-write = Change
scope-kind-other = Use
scope-kind-keep = Stay
scope-kind-know = Know
scope-mcp-read = Search and read documents and use the tools that only look
scope-mcp-write = Create and change content, such as notes
scope-mcp-infer = Ask the AI model of your app to work on content from this server
scope-offline_access = Stay connected while you are away, until you end it
scope-openid = Recognise you when you come back
scope-profile = Learn your name and user name
scope-email = Learn your e-mail address
scope-unknown = Use a permission that only the people who run this server can explain:
warning-unverified = Nobody has checked this app. It calls itself “{ $client }”, and your answer goes to { $host }. Continue only if you know this address.
warning-loopback = Your answer goes to a program on this device. Any program here could call itself “{ $client }”. Continue only if you have just started this yourself.
warning-private = Your answer opens a program on this device through a “{ $scheme }:” address. Continue only if you have just started this yourself.
remembered-note = Your answer is remembered for this app, this address and these permissions.
allow = Allow
deny = Deny

# Signing in
sign-in-title = Sign in to answer
sign-in-and-allow = Sign in and allow
username = User name
password = Password
sign-in-wrong = User name or password are not right. Please try again.
sign-in-slow = There were too many attempts. Please wait { $minutes } minutes, then try again.
signed-in-as = Signed in as
signed-in-at = at
continue-note = You sign in next. Nothing is given to the app before that.
continue-to-provider = Allow and sign in at { $provider }
continue-to-choice = Allow and sign in
choose-title = Where do you want to sign in?
choose-lead = { $client } gets what you have allowed once you are signed in.
choose-here = An account of { $product }
choose-silent = { $provider } does not answer right now. Choose another way, or try again in a minute.
leaving-title = On to { $provider }
leaving-text = Sign in there. You are brought back here afterwards.
leaving-link = Continue
another-account = Use another account

# Answers already given
answered-title = You have already answered
answered-text = This request is settled. Go back to your app; if it is still waiting, start the connection there once more.

# Errors
error-reference = Reference
error-reference-help = If you ask somebody for help, give them this reference.
error-start-again-title = Please start again
error-start-again-text = This sign-in has ended or belongs to another browser. Go back to your app and connect once more.
error-unknown-client-title = This app is not known here
error-unknown-client-text = It may have been removed. In your app, remove the connection and add it again; the app then introduces itself anew.
error-redirect-title = The app's return address is not accepted
error-redirect-text = The app asked to be answered at an address that it did not register, so nothing was sent to it. Add the connection in your app again. If you make this app, compare the redirect address with the registered ones.
error-request-title = The app's request cannot be used
error-request-text = Something in it is missing or wrong, and nothing was shared. Update the app or tell the people who make it.
error-forbidden-title = That did not come from this page
error-forbidden-text = For your safety the answer was not taken. Go back, reload the page and answer again.
error-too-many-title = A little too fast
error-too-many-text = There were too many requests. Please wait a few minutes and try again.
error-unavailable-title = Not available right now
error-unavailable-text = A part of this service is not reachable. Nothing was lost; please try again in a minute.
error-refused-title = This is not allowed
error-refused-text = The rules of this server do not allow it. Ask the people who run it.
error-mistake-title = Something went wrong here
error-mistake-text = This is our mistake, not yours. Please try again; if it happens again, tell the people who run this server.
error-not-found-title = There is nothing here
error-not-found-text = The address is not one of ours. Check it, or begin at the front page.

# Signing out
logout-title = Sign out?
logout-text = Your sign-in in this browser ends. Apps you have allowed stay connected.
logout-button = Sign out
logout-back = Stay signed in
logout-text-elsewhere = You are signed in here through { $provider }. You can sign out there too; every other service where you use it may then ask you again, and apps you have allowed since must be connected anew.
logout-here = Sign out here only
logout-everywhere = Sign out here and at { $provider }
signing-out-title = Signing out at { $provider }
signing-out-text = You are signed out here. Now you are signed out there too.
signing-out-link = Continue
signed-out-everywhere-text = Your sign-in has ended here and at { $provider }. You can close this page.
signed-out-title = You are signed out
signed-out-text = Your sign-in in this browser has ended. You can close this page.

# The front page
home-title = A front door for MCP servers
home-lead = Apps and AI assistants reach the server behind this page only with the consent of a person who signs in here.
home-url-label = The address to give to your app
home-url-help = Add it as a remote MCP server or connector. Your app finds out the rest by itself and brings you back here to sign in.
home-signed-in = You are signed in as { $account }.
home-sign-out = Sign out
