<?php
// The middleware of the recipe in an application of Laravel that fails.
require 'Illuminate/autoload.php';
require __DIR__ . '/RequestId.php';

use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Contracts\Http\Kernel as KernelContract;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Http\Kernel;

class AppKernel extends Kernel
{
    protected $bootstrappers = [
        Illuminate\Foundation\Bootstrap\RegisterFacades::class,
        Illuminate\Foundation\Bootstrap\RegisterProviders::class,
        Illuminate\Foundation\Bootstrap\BootProviders::class,
    ];
    protected $middleware = [App\Http\Middleware\RequestId::class];
}

$app = new Application(__DIR__);
$app->singleton(KernelContract::class, AppKernel::class);
$app->singleton(ExceptionHandler::class, Illuminate\Foundation\Exceptions\Handler::class);
$app->instance('config', new Illuminate\Config\Repository([
    'app' => ['debug' => false, 'env' => 'production', 'providers' => []],
    'logging' => ['default' => 'stderr', 'channels' => ['stderr' => [
        'driver' => 'monolog', 'handler' => Monolog\Handler\StreamHandler::class, 'with' => ['stream' => 'php://stderr'],
    ]]],
    'view' => ['paths' => [], 'compiled' => sys_get_temp_dir()],
]));
$app['router']->get('/orders/{id}', fn () => throw new RuntimeException('db-3 refused the connection'));
$app->make(KernelContract::class)->handle(Illuminate\Http\Request::capture())->send();
