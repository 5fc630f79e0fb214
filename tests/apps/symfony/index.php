<?php
// The doors of `doors.js` behind Symfony's own override of the method, as its front controller has it.
require 'Symfony/Component/HttpFoundation/autoload.php';

use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;

Request::enableHttpMethodParameterOverride();
$request = Request::createFromGlobals();
[$method, $path] = [$request->getMethod(), rawurldecode($request->getPathInfo())];
$closed = match (true) {
    $path === '/admin', str_starts_with($path, '/admin/') => true,
    $path === '/orders' => $method === 'POST',
    str_starts_with($path, '/items/') => in_array($method, ['DELETE', 'LINK'], true),
    default => false,
};
$door = $closed ? 'CLOSED' : (str_starts_with($path, '/public/') ? 'PUBLIC' : 'OPEN');
(new Response("$door-REACHED $method $path", 200, ['content-type' => 'text/plain']))->send();
