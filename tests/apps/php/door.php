<?php
// What PHP makes of a request; its own server finds the file.

// As Symfony does: of a POST, a header's method or the query's.
function door_method(): string
{
    $method = strtoupper($_SERVER['REQUEST_METHOD']);
    if ($method !== 'POST') {
        return $method;
    }
    foreach (['X_HTTP_METHOD_OVERRIDE', 'X_HTTP_METHOD', 'X_METHOD_OVERRIDE'] as $name) {
        if (isset($_SERVER["HTTP_$name"])) {
            return strtoupper($_SERVER["HTTP_$name"]);
        }
    }
    return strtoupper($_GET['_method'] ?? $method);
}

function reached(string $door): void
{
    header('content-type: text/plain');
    echo "$door-REACHED ", door_method(), ' ', $_SERVER['SCRIPT_NAME'], ' ', $_SERVER['PATH_INFO'] ?? '';
    foreach (['X_CONSUMER_ID', 'X_FORWARDED_HOST', 'X_REQUEST_ID'] as $name) {
        $value = $_SERVER["HTTP_$name"] ?? '';
        echo str_contains($value, 'forged') ? " $name=$value" : '';
    }
}
