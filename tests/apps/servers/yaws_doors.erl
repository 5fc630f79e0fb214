%% The doors of `doors.js` of Yaws.
-module(yaws_doors).
-export([out/1]).
-include("yaws_api.hrl").

out(#arg{req = #http_request{method = Sent}, server_path = Path}) ->
    Method = if is_atom(Sent) -> atom_to_list(Sent); true -> Sent end,
    {content, "text/plain", [door(Method, string:tokens(Path, "/")), "-REACHED ", Method, " ", Path]}.

door(_, ["admin" | _]) -> "CLOSED";
door("POST", ["orders"]) -> "CLOSED";
door("DELETE", ["items", _]) -> "CLOSED";
door(_, ["public", _ | _]) -> "PUBLIC";
door(_, _) -> "OPEN".
