<?php
require __DIR__ . '/door.php';

$path = rawurldecode(strtok($_SERVER['REQUEST_URI'], '?'));
$closed = match (true) {
    $path === '/orders' => 'POST',
    (bool) preg_match('#^/items/[^/]+$#', $path) => 'DELETE',
    default => null,
};
reached($closed === door_method() ? 'CLOSED' : 'OPEN');
