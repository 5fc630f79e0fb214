# The doors of `doors.js` of Mojolicious, which takes a POST's method from `_method` in the query.
use Mojolicious::Lite -signatures;

app->log->level('fatal');

sub door ($name) {
    sub ($c) { $c->render(text => "$name-REACHED " . $c->req->method . ' ' . $c->req->url->path) }
}

any '/admin/*rest' => { rest => '' } => door('CLOSED');
post '/orders' => door('CLOSED');
del '/items/:id' => door('CLOSED');
any '/public/*rest' => door('PUBLIC');
any '/*rest' => { rest => '' } => door('OPEN');
app->start('daemon', '--listen', "http://127.0.0.1:$ARGV[0]");
