<?php
// The doors of `doors.js` in a front controller, as those of many tutorials: a rewrite rule puts the path into `url`, and the
// method may stand anywhere, as in Flight. With `DOOR_PATH=uri` it takes the path that the client sent.
$path = getenv('DOOR_PATH') === 'uri'
    ? rawurldecode(strtok($_SERVER['REQUEST_URI'], '?'))
    : filter_var($_GET['url'] ?? '', FILTER_SANITIZE_URL);
$path = '/' . trim($path, '/');
$method = strtoupper($_SERVER['HTTP_X_HTTP_METHOD_OVERRIDE'] ?? $_REQUEST['_method'] ?? $_SERVER['REQUEST_METHOD']);
$closed = match (true) {
    $path === '/admin', str_starts_with($path, '/admin/') => true,
    // Methods that it does not know are those that it does not expect: the last branch of many a `switch`.
    $path === '/orders' => !in_array($method, ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'], true),
    str_starts_with($path, '/items/') => $method === 'DELETE',
    default => false,
};
$door = $closed ? 'CLOSED' : (str_starts_with($path, '/public/') ? 'PUBLIC' : 'OPEN');
header('content-type: text/plain');
echo "$door-REACHED $method $path";
