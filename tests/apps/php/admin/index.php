<?php
require __DIR__ . "/../door.php";
reached("CLOSED");
